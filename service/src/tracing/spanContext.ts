/** A `traceparent` as the API's context, and back. */
import { formatTraceparent, parseTraceparent } from '@fit/jobs';
import {
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  trace,
} from '@opentelemetry/api';

/** @returns undefined where the text is no traceparent. */
export function contextOf(traceparent: unknown): Context | undefined {
  const context = spanContextOf(traceparent);
  return context === undefined ? undefined : trace.setSpanContext(ROOT_CONTEXT, context);
}

export function linksOf(traceparents: readonly unknown[] = []): Link[] {
  return traceparents.flatMap((traceparent) => {
    const context = spanContextOf(traceparent);
    return context === undefined ? [] : [{ context }];
  });
}

export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return formatTraceparent({ traceId, spanId, flags: traceFlags });
}

function spanContextOf(traceparent: unknown): SpanContext | undefined {
  const parsed = parseTraceparent(traceparent);
  if (parsed === undefined) return undefined;
  const { traceId, spanId, flags } = parsed;
  return { traceId, spanId, traceFlags: flags, isRemote: true };
}
