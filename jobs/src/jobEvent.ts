/** All events of jobs. The metrics and the log are listeners of them. */
import type { DeathCause, OutcomeType } from '@fit/topology';
import type { PublishResult } from '@fit/topology/amqp';
import type { WorkerEvent } from '@fit/topology/work';
import type { JobRecord } from './record/jobRecord.ts';
import type { JobState, Transition } from './record/transitions.ts';
import type { DeadLetterCause } from './store/deadLetterStore.ts';

export type JobEvent =
  /** The relay published jobs; `result` is what the broker answered. */
  | {
      type: 'published';
      queue: string;
      result: PublishResult;
      count: number;
      /** The records; listeners may use only the fields that are named here. */
      jobs: readonly Pick<JobRecord, '_id' | 'runId' | 'traceparent'>[];
    }
  /**
   * One attempt ended. `delayMs` and `waitQueue` are the wait that follows and its queue, where the job waits for a further
   * attempt. `queueWaitMs` is the wait before the attempt, from eligible to delivered, where the headers allow to compute it.
   */
  | {
      type: 'attempted';
      jobId: string;
      /** The run that created the job; undefined where its message has no run id. */
      runId: string | undefined;
      /** Counted from 1. */
      attempt: number;
      kind: string;
      queue: string;
      outcome: OutcomeType;
      durationMs: number;
      errorClass?: string | undefined;
      delayMs?: number | undefined;
      waitQueue?: string | undefined;
      queueWaitMs?: number | undefined;
      /** State of the job once the attempt is stored; a job whose effect an earlier attempt has stored is done instead of dead. */
      state: JobState;
      traceparent: string | undefined;
    }
  /**
   * Jobs are done. Each job is counted once, because only a guarded write that changed its record counts; a job that was
   * marked dead although its effect exists is counted at both of its ends.
   */
  | { type: 'finished'; kind: string; count: number; ends: readonly JobEnd[] }
  | {
      type: 'deadLettered';
      kind: string;
      cause: DeathCause;
      count: number;
      ends: readonly JobEnd[];
    }
  /** Dead letters without a job were stored for the first time. */
  | { type: 'deadLetterStored'; kind: string; cause: DeadLetterCause; count: number }
  /** A guarded write changed nothing, because it was late or a copy of an earlier one; this is harmless. */
  | { type: 'unchanged'; transition: Transition; count: number }
  | WorkerEvent
  /** The reconciler publishes lost jobs again. */
  | { type: 'reconciled'; count: number }
  /** The relay published jobs that a replay had made pending. */
  | { type: 'replayed'; kind: string; count: number }
  /** The kind does not declare this priority of its stored jobs any more, so the relay published them with the default one. */
  | { type: 'priorityUnknown'; kind: string; priority: string; count: number }
  /** The retention deleted documents that are older than the policy allows. */
  | { type: 'expired'; jobs: number; effects: number; batches: number; runs: number }
  /** A background task completed a round. A round that the broker prevented has no event. */
  | { type: 'roundEnded'; task: 'relay' | 'reconcile' | 'retention' }
  /** The database cannot be reached, or answers too late; consuming pauses, and no attempt is spent. */
  | { type: 'storeDown'; stage: string; error: Error }
  | { type: 'storeUp'; stage: string }
  /**
   * A stage failed while the database works: the database refuses a document, or the stage has a defect. The stage sets the
   * concerned item aside or tries it again; other items are not affected.
   */
  | { type: 'stageFailed'; stage: string; error: Error }
  | { type: 'leaseTaken'; name: string }
  | { type: 'leaseLost'; name: string };

/** A job that reached a final state. */
export interface JobEnd {
  /** Undefined where only some jobs of a batch changed, because the database does not return which. */
  readonly jobId: string | undefined;
  /** Attempts since the last replay. */
  readonly attemptCount: number;
  /**
   * Time since the first enqueue; undefined where that time is not known, and for a replayed job, because its time was
   * reported at its first end.
   */
  readonly endToEndMs: number | undefined;
}

export type JobListener = (event: JobEvent) => void;
