/** What a log line is about, carried along a request or an attempt without being handed from call to call. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type AttemptScope, parseTraceparent } from '@fit/jobs';

export interface LogContext {
  readonly request_id?: string | undefined;
  readonly run_id?: string | undefined;
  readonly job_id?: string | undefined;
  readonly attempt?: number | undefined;
  readonly queue?: string | undefined;
  /** Written as trace_id and span_id. */
  readonly traceparent?: string | undefined;
}

const storage = new AsyncLocalStorage<LogContext>();

/** For a worker: whatever an attempt logs, its handler's libraries included, says which attempt of which job. */
export function withAttemptLogContext<Answer>(scope: AttemptScope, run: () => Answer): Answer {
  const { jobId: job_id, runId: run_id, queue, attempt, traceparent } = scope;
  return withLogContext({ job_id, run_id, queue, attempt, traceparent }, run);
}

/** Every line that `work` logs, at once or later, has these fields. */
export function withLogContext<Result>(context: LogContext, work: () => Result): Result {
  return storage.run(context, work);
}

/** Adds to the lines that follow in the same request or attempt; outside of one it does nothing. */
export function addLogFields(fields: LogContext): void {
  const context = storage.getStore();
  if (context !== undefined) Object.assign(context, fields);
}

/** @returns the trace that runs here; undefined where none does. */
export function currentTraceparent(): string | undefined {
  return storage.getStore()?.traceparent;
}

/** @returns the fields for one line. */
export function logFields(): Record<string, unknown> {
  const context = storage.getStore();
  if (context === undefined) return {};
  const { traceparent, ...fields } = context;
  return { ...fields, ...traceLogFields(traceparent) };
}

/** @returns `trace_id` and `span_id`; empty for what is no traceparent, or that of a trace which nobody records. */
export function traceLogFields(traceparent: unknown): { trace_id?: string; span_id?: string } {
  const parsed = parseTraceparent(traceparent);
  return parsed === undefined || parsed.flags === 0
    ? {}
    : { trace_id: parsed.traceId, span_id: parsed.spanId };
}
