/** Whether the background tasks of this process still work, for /livez. */
import { type LoopTask, ROUND_PAUSE_MS } from '@fit/jobs';
import { Heartbeat } from '@fit/service';

/**
 * Every call of a round has a deadline (a statement, a confirm, a connect), so even in an outage a round ends within a few
 * tens of seconds. A task that completes none for two minutes longer than its pause hangs, and a restart is the remedy.
 */
const STUCK_AFTER_MS = 120_000;
const TASKS = ['relay', 'reconcile', 'retention'] as const satisfies readonly LoopTask[];

export interface TaskLiveness {
  /** To be called once the tasks are started; before that none counts as stuck. */
  readonly begin: () => void;
  /** To be called after each round of a task. */
  readonly onRound: (task: LoopTask) => void;
  /**
   * A check for each task, by its name: why the task counts as stuck; undefined while it completes rounds, which it also does
   * in an outage and while the queue is as full as it should be.
   */
  readonly checks: Readonly<Record<LoopTask, () => string | undefined>>;
}

/** @param stuckAfterMs time without a round after which a task counts as stuck, in addition to its pause. */
export function watchTasks(stuckAfterMs = STUCK_AFTER_MS): TaskLiveness {
  const heartbeatOf = (task: LoopTask) => new Heartbeat(stuckAfterMs + ROUND_PAUSE_MS[task]);
  const heartbeats = new Map<LoopTask, Heartbeat>();
  return {
    begin: () => {
      for (const task of TASKS) heartbeats.set(task, heartbeatOf(task));
    },
    onRound: (task) => {
      heartbeats.get(task)?.beat();
    },
    checks: {
      relay: () => heartbeats.get('relay')?.check(),
      reconcile: () => heartbeats.get('reconcile')?.check(),
      retention: () => heartbeats.get('retention')?.check(),
    },
  };
}
