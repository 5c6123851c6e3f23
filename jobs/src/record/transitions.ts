/** The legal changes of a job's state, in one table. Every write of a state has `allowedBefore` as a condition. */
export const JOB_STATES = ['pending', 'running', 'waiting', 'done', 'dead', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

/** A state as readers see it: `queued` is a pending job whose batch the broker has confirmed; no record stores it. */
export type ShownState = JobState | 'queued';
export const SHOWN_STATES: readonly ShownState[] = ['pending', 'queued', ...JOB_STATES.slice(1)];

export type Transition = keyof typeof TRANSITIONS;

/**
 * No write says that a job was published (its batch says so), so an attempt may begin in the state `pending`. A worker may
 * be slower than a repair that made its job pending again, so every live state leads to done, waiting, dead and cancelled.
 */
export const TRANSITIONS = {
  /** An attempt has run for longer than a second, or still runs. */
  run: { from: ['pending', 'running', 'waiting'], to: 'running' },
  /** An attempt failed; the broker holds the job for its tier. */
  wait: { from: ['pending', 'running', 'waiting'], to: 'waiting' },
  /**
   * The effect is stored. Dead and cancelled jobs are included, because an attempt whose worker was killed may have been repeated,
   * and one may have begun unnoticed before the cancellation: a job whose effect exists is done, whatever was recorded before.
   */
  finish: { from: ['pending', 'running', 'waiting', 'dead', 'cancelled'], to: 'done' },
  markDead: { from: ['pending', 'running', 'waiting'], to: 'dead' },
  /** The broker lost the job; the relay publishes it again. */
  reconcile: { from: ['pending', 'running', 'waiting'], to: 'pending' },
  replay: { from: ['dead'], to: 'pending' },
  /** A further run for the same items creates what is missing: it takes over jobs that ended without their effect. */
  takeOver: { from: ['dead', 'cancelled'], to: 'pending' },
  /** The job is not wanted any more: somebody cancelled it, or its handler discarded it. */
  cancel: { from: ['pending', 'running', 'waiting'], to: 'cancelled' },
} as const satisfies Record<string, { from: readonly JobState[]; to: JobState }>;

/** @returns the states that a transition may start from, as a filter of a guarded update. */
export function allowedBefore(transition: Transition): { $in: JobState[] } {
  return { $in: [...TRANSITIONS[transition].from] };
}

export const LIVE_STATES: readonly JobState[] = ['pending', 'running', 'waiting'];
