/** The legal changes of a job's state, in one table. Every write of a state has `allowedBefore` as a condition. */
export const JOB_STATES = [
  'pending',
  'queued',
  'running',
  'waiting',
  'done',
  'dead',
  'cancelled',
] as const;
export type JobState = (typeof JOB_STATES)[number];

export type Transition = keyof typeof TRANSITIONS;

/**
 * A worker may be faster than the relay that marks a job as queued, and the reconciler may have made a slow job pending.
 * Therefore every live state leads to done, waiting, dead and cancelled. Only a replay leaves a terminal state.
 */
export const TRANSITIONS = {
  /** The broker confirmed the publish. */
  queue: { from: ['pending'], to: 'queued' },
  /** An attempt has run for longer than a second. */
  run: { from: ['pending', 'queued', 'waiting'], to: 'running' },
  /** An attempt failed; the broker holds the job for its tier. */
  wait: { from: ['pending', 'queued', 'running', 'waiting'], to: 'waiting' },
  finish: { from: ['pending', 'queued', 'running', 'waiting'], to: 'done' },
  markDead: { from: ['pending', 'queued', 'running', 'waiting'], to: 'dead' },
  /** The job is stale; the relay publishes it again. */
  reconcile: { from: ['queued', 'running', 'waiting'], to: 'pending' },
  replay: { from: ['dead'], to: 'pending' },
  /** The handler discarded the job, because it is not wanted any more. */
  cancel: { from: ['pending', 'queued', 'running', 'waiting'], to: 'cancelled' },
} as const satisfies Record<string, { from: readonly JobState[]; to: JobState }>;

/** @returns the states that a transition may start from, as a filter of a guarded update. */
export function allowedBefore(transition: Transition): { $in: JobState[] } {
  return { $in: [...TRANSITIONS[transition].from] };
}

export const LIVE_STATES: readonly JobState[] = ['pending', 'queued', 'running', 'waiting'];
