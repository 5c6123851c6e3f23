/** Everything that happens to jobs, in one table. Metrics and log lines are two listeners of it. */
import type { DeathCause, OutcomeType } from '@fit/topology';
import type { PublishResult } from '@fit/topology/amqp';
import type { WorkerEvent } from '@fit/topology/work';
import type { Transition } from './record/transitions.ts';

export type JobEvent =
  /** The relay handed jobs to the broker, or could not. */
  | { type: 'published'; queue: string; result: PublishResult; count: number }
  /** One attempt ended. `delayMs` is the wait that follows, if any. */
  | {
      type: 'attempted';
      kind: string;
      queue: string;
      outcome: OutcomeType;
      durationMs: number;
      errorClass?: string;
      delayMs?: number;
    }
  /** Jobs reached a terminal state, once per job: counted at the guarded write. */
  | { type: 'finished'; kind: string; count: number }
  | { type: 'buried'; kind: string; cause: DeathCause; count: number }
  /** A write found its job changed already: late or doubled, and harmless. */
  | { type: 'unchanged'; transition: Transition; count: number }
  | WorkerEvent
  | { type: 'reconciled'; count: number }
  /** The database refused a batch; consuming pauses, and no attempt is spent. */
  | { type: 'storeDown'; stage: string; error: Error }
  | { type: 'storeUp'; stage: string }
  | { type: 'leaseTaken'; name: string }
  | { type: 'leaseLost'; name: string };

export type JobListener = (event: JobEvent) => void;
