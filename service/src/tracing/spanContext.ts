/** Conversion between a `traceparent` and the context of OpenTelemetry's API, by OpenTelemetry's own propagator. */
import {
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  type Link,
  ROOT_CONTEXT,
  type Span,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';

const propagator = new W3CTraceContextPropagator();

/** @returns undefined if the value is not a valid traceparent; a header may hold anything. */
export function contextOf(traceparent: unknown): Context | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const context = propagator.extract(ROOT_CONTEXT, { traceparent }, defaultTextMapGetter);
  return context === ROOT_CONTEXT ? undefined : context;
}

export function linksOf(traceparents: readonly unknown[] = []): Link[] {
  return traceparents.flatMap((traceparent) => {
    const context = trace.getSpanContext(contextOf(traceparent) ?? ROOT_CONTEXT);
    return context === undefined ? [] : [{ context }];
  });
}

export function traceparentOf(span: Span): string {
  const carrier: { traceparent?: string } = {};
  propagator.inject(trace.setSpan(ROOT_CONTEXT, span), carrier, defaultTextMapSetter);
  return carrier.traceparent ?? '';
}
