/**
 * The interface to a tracing system that follows jobs from process to process. `main.ts` of each service passes in an
 * implementation where tracing is on. An implementation must not throw, because no caller catches its errors.
 */
import type { KindDeclaration, PublishTarget, ReadMessage, SettledAttempt } from '@fit/topology';
import type { PublishResult } from '@fit/topology/amqp';
import type { JobMessage } from '../record/jobMessage.ts';
import type { JobRecord } from '../record/jobRecord.ts';
import type { Transition } from '../record/transitions.ts';

export interface JobTracer {
  /** Begins the span of a publish by the relay. @returns undefined where the record has no trace context. */
  publish(
    job: JobRecord,
    target: Pick<PublishTarget, 'exchange' | 'key'>,
  ): PublishTrace | undefined;
  /**
   * Begins the span of an attempt, and records the wait before the attempt as a span, because a wait queue has no consumer
   * that could record it.
   * @param attempt counted from 1.
   * @returns undefined where the message carries no trace context.
   */
  attempt(
    kind: KindDeclaration,
    message: ReadMessage<JobMessage>,
    attempt: number,
  ): AttemptTrace | undefined;
  /** Begins the trace of an operation that makes many jobs pending again; the next publish of each job links to it. */
  operation(name: 'reconcile' | 'replay'): OperationTrace;
}

export interface PublishTrace {
  /** Header `traceparent` of the message; a retry through the wait queues keeps the header. */
  readonly traceparent: string;
  end(result: PublishResult): void;
}

export interface AttemptTrace {
  readonly traceparent: string;
  /** Ends the span of the attempt, once the handler has answered and the next step is chosen. */
  end(result: Pick<SettledAttempt<unknown>, 'endedAt' | 'next' | 'outcome' | 'waitMs'>): void;
  /** Adds the span of the write that stored the effect and the record. */
  stored(write: StoreWrite): void;
}

/** One bulk write, which stored this attempt together with others. */
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
