/** Which attempt of which job: what logs say of it. */
import type { Task } from '@fit/topology/work';
import { type JobMessage, RUN_ID_HEADER } from '../record/jobMessage.ts';
import type { AttemptTrace } from '../trace/jobTracer.ts';

export interface AttemptScope {
  readonly jobId: string;
  /** Undefined where its message does not say. */
  readonly runId: string | undefined;
  readonly queue: string;
  /** Counted from 1. */
  readonly attempt: number;
  readonly traceparent: string | undefined;
}

const RUN_ID_LIMIT_CHARS = 100;

export function scopeOf(
  queue: string,
  { message, attempt, delivery }: Pick<Task<JobMessage>, 'message' | 'attempt' | 'delivery'>,
  trace: AttemptTrace | undefined,
): AttemptScope {
  return {
    jobId: message.id,
    runId: runIdOf(delivery.headers[RUN_ID_HEADER]),
    queue,
    attempt: attempt.number,
    traceparent: trace?.traceparent,
  };
}

/** Anyone who may publish can have written anything. */
function runIdOf(value: unknown): string | undefined {
  const isSane = typeof value === 'string' && value !== '' && value.length <= RUN_ID_LIMIT_CHARS;
  return isSane ? value : undefined;
}
