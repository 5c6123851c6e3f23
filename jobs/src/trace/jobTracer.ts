/**
 * What wants to follow jobs from process to process. The composition roots give one, or none: without it nothing here
 * costs anything. It must not throw, and only it knows in which system traces end.
 */
import type { KindDeclaration, PublishTarget } from '@fit/topology';
import type { PublishResult } from '@fit/topology/amqp';
import type { AttemptResult, Task } from '@fit/topology/work';
import type { JobMessage } from '../record/jobMessage.ts';
import type { JobRecord } from '../record/jobRecord.ts';
import type { Transition } from '../record/transitions.ts';

export interface JobTracer {
  /** The relay publishes a record. Undefined where the record has no trace context. */
  publish(job: JobRecord, entry: Pick<PublishTarget, 'exchange' | 'key'>): PublishTrace | undefined;
  /**
   * A worker begins an attempt. The wait before it becomes a span here too, because a wait queue has no consumer that could
   * report it. Undefined where the message carries no trace context.
   */
  attempt(kind: KindDeclaration, task: Task<JobMessage>): AttemptTrace | undefined;
  /** An operation makes many jobs pending again; their next publishes link to its trace. */
  operation(name: 'reconcile' | 'replay'): OperationTrace;
}

export interface PublishTrace {
  /** Goes with the message as its header `traceparent`; a bounce keeps it. */
  readonly traceparent: string;
  end(result: PublishResult): void;
}

export interface AttemptTrace {
  readonly traceparent: string;
  /** The handler answered, and the next step is chosen. */
  end(result: AttemptResult<JobMessage>): void;
  /** Effect and record are stored. */
  stored(write: StoreWrite): void;
}

/** One bulk write, which this attempt shared with others. */
export interface StoreWrite {
  readonly startedAt: Date;
  readonly endedAt: Date;
  readonly jobCount: number;
  readonly transition: Transition;
}

export interface OperationTrace {
  readonly traceparent: string;
  end(jobCount: number): void;
}
