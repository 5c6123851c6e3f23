/** All events of jobs. Metrics and log lines are two listeners of them. */
import type { DeathCause, OutcomeType } from '@fit/topology';
import type { PublishResult } from '@fit/topology/amqp';
import type { WorkerEvent } from '@fit/topology/work';
import type { JobRecord } from './record/jobRecord.ts';
import type { JobState, Transition } from './record/transitions.ts';
import type { DeadLetterCause } from './store/deadLetterStore.ts';

export type JobEvent =
  /** The relay published jobs, or the broker did not take them. */
  | {
      type: 'published';
      queue: string;
      result: PublishResult;
      count: number;
      /** The records; listeners may use only the fields that are named here. */
      jobs: readonly Pick<JobRecord, '_id' | 'runIds' | 'traceparent'>[];
    }
  /**
   * One attempt ended. `delayMs` is the wait that follows, if any, and `waitQueue` where; `queueWaitMs` is what went
   * before it, from eligible to delivered, where that can be told.
   */
  | {
      type: 'attempted';
      jobId: string;
      /** The run that asked for it; undefined where its message does not say. */
      runId: string | undefined;
      /** Counted from 1. */
      attempt: number;
      kind: string;
      queue: string;
      outcome: OutcomeType;
      durationMs: number;
      errorClass?: string;
      delayMs?: number;
      waitQueue?: string;
      queueWaitMs?: number;
      /** Where it leaves the job, once that is stored. */
      state: JobState;
      traceparent: string | undefined;
    }
  /** Jobs reached a terminal state, once per job: counted at the guarded write. */
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
  /** A guarded write changed nothing, because it was late or a copy; this is harmless. */
  | { type: 'unchanged'; transition: Transition; count: number }
  | WorkerEvent
  | { type: 'reconciled'; count: number }
  /** Jobs that a replay had made pending went to the broker. */
  | { type: 'replayed'; kind: string; count: number }
  /** A background task completed a round; a round that the broker prevented is not reported. */
  | { type: 'roundEnded'; task: 'relay' | 'reconcile' }
  /** The database cannot be reached, or answers too late; consuming pauses, and no attempt is spent. */
  | { type: 'storeDown'; stage: string; error: Error }
  | { type: 'storeUp'; stage: string }
  /**
   * A stage failed while the database works: it refuses a document that it cannot take, or the stage has a defect. What
   * it concerns was set aside, or is tried again; the others went on.
   */
  | { type: 'stageFailed'; stage: string; error: Error }
  | { type: 'leaseTaken'; name: string }
  | { type: 'leaseLost'; name: string };

/** One job at its end. */
export interface JobEnd {
  /** Undefined where it is not known which jobs of a batch changed. */
  readonly jobId: string | undefined;
  /** Since its last replay. */
  readonly attemptCount: number;
  /** Since its first enqueue; undefined where its message does not say, and of a replayed job, which had an end before. */
  readonly endToEndMs: number | undefined;
}

export type JobListener = (event: JobEvent) => void;
