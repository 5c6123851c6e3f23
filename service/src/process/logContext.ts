/** Fields that every log line of one request or attempt carries, kept in an AsyncLocalStorage. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type AttemptScope, parseTraceparent } from '@fit/jobs';

export interface LogContext {
  readonly request_id?: string | undefined;
  readonly run_id?: string | undefined;
  readonly job_id?: string | undefined;
  readonly attempt?: number | undefined;
  readonly queue?: string | undefined;
  /** Written to the line as trace_id and span_id. */
  readonly traceparent?: string | undefined;
}

const storage = new AsyncLocalStorage<LogContext>();

/** Runs an attempt of a worker; each line that it logs, also from a library of its handler, names the attempt and its job. */
export function withAttemptLogContext<Answer>(scope: AttemptScope, run: () => Answer): Answer {
  const { jobId: job_id, runId: run_id, queue, attempt, traceparent } = scope;
  return withLogContext({ job_id, run_id, queue, attempt, traceparent }, run);
}

/** Each line that `work` logs, also from its callbacks later, has these fields. */
export function withLogContext<Result>(context: LogContext, work: () => Result): Result {
  return storage.run(context, work);
}

/** Adds fields to the lines that follow in the same request or attempt; it does nothing outside of one. */
export function addLogFields(fields: LogContext): void {
  const context = storage.getStore();
  if (context !== undefined) Object.assign(context, fields);
}

/** @returns the traceparent of the current request or attempt; undefined if it is not traced. */
export function currentTraceparent(): string | undefined {
  return storage.getStore()?.traceparent;
}

/** @returns the fields of the current request or attempt, as pino writes them. */
export function logFields(): Record<string, unknown> {
  const context = storage.getStore();
  if (context === undefined) return {};
  const { traceparent, ...fields } = context;
  return { ...fields, ...traceLogFields(traceparent) };
}

/** @returns `trace_id` and `span_id`; empty for a value that is not a traceparent, and for a trace that is not sampled. */
export function traceLogFields(traceparent: unknown): { trace_id?: string; span_id?: string } {
  const parsed = parseTraceparent(traceparent);
  return parsed === undefined || parsed.flags === 0
    ? {}
    : { trace_id: parsed.traceId, span_id: parsed.spanId };
}
