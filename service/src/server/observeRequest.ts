/** Gives each request its id, its trace and its log fields, and reports its end with its duration. */
import { randomUUID } from 'node:crypto';
import type { RouterContext } from '@koa/router';
import type { Context, Middleware, Next } from 'koa';
import { withLogContext } from '../process/logContext.ts';

export interface CompletedRequest {
  readonly method: string;
  /** The pattern of the route and not the path of the request, because the values of a metric label must be bounded. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
}

/** Begins a trace or continues the trace of the caller; implemented by `requestSpans`. */
export interface RequestTracer {
  begin(request: RequestBegin): RequestTrace;
}

export interface RequestBegin {
  readonly method: string;
  readonly path: string;
  readonly requestId: string;
  /** The header as the caller sent it; it may be any text. */
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

/** Paths that machines request every few seconds. They are not traced, and are logged only if they fail. */
export const PROBES: ReadonlySet<string> = new Set(['/livez', '/readyz', '/healthz']);
/** The id of a caller is used only if it needs no escaping in a log line or a header. */
const VALID_REQUEST_ID = /^[\w.:-]{1,64}$/;

/** Uses the caller's `x-request-id` or a new one, and returns it in the answer. */
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
