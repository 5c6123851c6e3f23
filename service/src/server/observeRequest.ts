/** Around every request: its id, its trace, its duration. */
import { randomUUID } from 'node:crypto';
import type { RouterContext } from '@koa/router';
import type { Context, Middleware, Next } from 'koa';
import { withLogContext } from '../process/logContext.ts';

export interface CompletedRequest {
  readonly method: string;
  /** The route's pattern, never the raw path: labels must be bounded. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
}

/** What follows requests into other processes; given by tracing, or not at all. */
export interface RequestTracer {
  begin(request: RequestBegin): RequestTrace;
}

export interface RequestBegin {
  readonly method: string;
  readonly path: string;
  readonly requestId: string;
  /** As the caller sent it: anything. */
  readonly traceparent: unknown;
}

export interface RequestTrace {
  readonly traceparent: string;
  end(end: CompletedRequest): void;
}

export interface ObserveRequestOptions {
  readonly onRequest: (end: CompletedRequest) => void;
  readonly tracer?: RequestTracer | undefined;
}

/** Asked every few seconds by machines: a trace or a line of each would bury the others. */
export const PROBES: ReadonlySet<string> = new Set(['/livez', '/readyz', '/healthz']);
/** A caller's own id is kept where it can stand in a log line and a header as it is. */
const VALID_REQUEST_ID = /^[\w.:-]{1,64}$/;

/** An `x-request-id` is taken over or made, and returned. */
export function observeRequest({ onRequest, tracer }: ObserveRequestOptions): Middleware {
  return async (context: Context, next: Next): Promise<void> => {
    const startedAt = performance.now();
    const { method, path } = context;
    const requestId = requestIdOf(context.get('x-request-id'));
    context.set('x-request-id', requestId);
    const traceparent = context.get('traceparent');
    const trace = PROBES.has(path)
      ? undefined
      : tracer?.begin({ method, path, requestId, traceparent });
    const fields = {
      request_id: requestId,
      ...(trace === undefined ? {} : { traceparent: trace.traceparent }),
    };
    await withLogContext(fields, async () => {
      await next();
      const route = (context as unknown as RouterContext)._matchedRoute?.toString() ?? 'none';
      const durationMs = performance.now() - startedAt;
      const end = { method, route, status: context.status, durationMs };
      trace?.end(end);
      onRequest(end);
    });
  };
}

function requestIdOf(given: string): string {
  return VALID_REQUEST_ID.test(given) ? given : randomUUID();
}
