/**
 * Traces and metrics by OpenTelemetry's semantic conventions for messaging. These conventions are in development
 * (release 1.45 of them), so names of spans, attributes and metrics are not covered by the versions of this package.
 */
import {
  type Attributes,
  context,
  type Meter,
  metrics,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { Hooks, TopologyEvent } from '../connect/hooks.ts';
import { PublishError } from '../connect/publishError.ts';
import type { AnyTopology, Queues } from '../define/defineTopology.ts';
import { errorClass } from '../retry/outcome.ts';

/** All are optional. */
export interface OpenTelemetryOptions {
  /** Default: that of the global tracer provider. */
  readonly tracer?: Tracer;
  /** Default: that of the global meter provider. */
  readonly meter?: Meter;
  /** Attributes of every span and metric, such as `server.address`. Default none. */
  readonly attributes?: Attributes;
}

const SCOPE = '@fit/topology';
const SYSTEM = { 'messaging.system': 'rabbitmq' } as const;
const PUBLISH = { 'messaging.operation.name': 'publish', 'messaging.operation.type': 'send' };
const PROCESS = { 'messaging.operation.name': 'process', 'messaging.operation.type': 'process' };
/** Bounds that the conventions advise, in seconds. */
const DURATION = {
  unit: 's',
  advice: {
    explicitBucketBoundaries: [
      0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    ],
  },
};
const MESSAGES = { unit: '{message}' };

/** Headers of a delivery may hold any AMQP type; only texts carry a context. */
const HEADERS: TextMapGetter<Readonly<Record<string, unknown>>> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, name) => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  },
};

/**
 * Hooks for the publishers and workers of one topology. A publish is a span of kind PRODUCER and writes its context into the
 * headers, by the global propagator; an attempt is a span of kind CONSUMER below the publish of its message. The broker
 * keeps the headers while a message waits, so all attempts of a message are in one trace.
 * @param topology names the destinations; hooks of another topology would name them wrongly.
 */
export function openTelemetryHooks(
  topology: AnyTopology,
  options: OpenTelemetryOptions = {},
): Hooks {
  const { tracer = trace.getTracer(SCOPE), meter = metrics.getMeter(SCOPE) } = options;
  const common: Attributes = { ...options.attributes, ...SYSTEM };
  const { exchange } = topology;
  const instruments = {
    operationDuration: meter.createHistogram('messaging.client.operation.duration', DURATION),
    sent: meter.createCounter('messaging.client.sent.messages', MESSAGES),
    consumed: meter.createCounter('messaging.client.consumed.messages', MESSAGES),
    processDuration: meter.createHistogram('messaging.process.duration', DURATION),
    deadLetters: meter.createCounter('topology.dead_letters', MESSAGES),
  };
  const published = (message: string): Attributes => ({
    ...common,
    ...PUBLISH,
    'messaging.destination.name': destination(exchange, message),
  });
  const processed = (queue: string, message: string): Attributes => ({
    ...common,
    ...PROCESS,
    'messaging.destination.name': destination(exchange, message, queue),
  });

  return {
    onEvent: (event) => {
      if (event.type === 'published') {
        const failure =
          event.result === 'confirmed' ? undefined : { 'error.type': event.result as string };
        const attributes = { ...published(event.message), ...failure };
        instruments.operationDuration.record(event.durationMs / 1_000, attributes);
        instruments.sent.add(1, attributes);
      } else if (event.type === 'attempt') {
        const attributes = processed(event.queue, event.message);
        if (isFirstOfDelivery(topology, event)) instruments.consumed.add(1, attributes);
        instruments.processDuration.record(event.durationMs / 1_000, {
          ...attributes,
          'topology.outcome': event.outcome,
          ...('error' in event ? { 'error.type': errorClass(event.error) } : {}),
        });
      } else if (event.type === 'deadLettered') {
        const attributes = {
          ...common,
          'messaging.destination.name': event.queue,
          'topology.cause': event.cause,
        };
        instruments.deadLetters.add(1, attributes);
      }
    },
    aroundPublish: async (message, run) => {
      const { type, id, headers } = message;
      const attributes = {
        ...published(type),
        'messaging.message.id': id,
        'rabbitmq.destination.routing_key': type,
      };
      const span = tracer.startSpan(`publish ${destination(exchange, type)}`, {
        kind: SpanKind.PRODUCER,
        attributes,
      });
      const inside = trace.setSpan(context.active(), span);
      propagation.inject(inside, headers);
      try {
        return await context.with(inside, run);
      } catch (error) {
        fail(span, error instanceof PublishError ? error.code : errorClass(error));
        throw error;
      } finally {
        span.end();
      }
    },
    aroundAttempt: async ({ queue, id, number }, { type, headers }, run) => {
      const sent = propagation.extract(ROOT_CONTEXT, headers, HEADERS);
      const attributes = {
        ...processed(queue, type),
        'messaging.message.id': id,
        'topology.attempt.number': number,
      };
      const span = tracer.startSpan(
        `process ${destination(exchange, type, queue)}`,
        { kind: SpanKind.CONSUMER, attributes },
        sent,
      );
      try {
        const result = await context.with(trace.setSpan(sent, span), run);
        const error = errorOf(result);
        if (error !== undefined) fail(span, error);
        return result;
      } catch (error) {
        fail(span, errorClass(error));
        throw error;
      } finally {
        span.end();
      }
    },
  };
}

/** As the conventions name a destination on RabbitMQ: exchange, routing key and queue, each once. */
function destination(exchange: string, message: string, queue = message): string {
  return [exchange, message, ...(queue === message ? [] : [queue])].join(':');
}

/** Only the class, because the text of an error may contain a part of the body. */
function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR });
}

/** @returns the class of the error of an outcome that is a failure; undefined for every other result. */
function errorOf(result: unknown): string | undefined {
  const { type, error } = Object(result) as { readonly type?: unknown; readonly error?: unknown };
  return type === 'retry' || type === 'reject' ? errorClass(error) : undefined;
}

/** Repeats that are immediate are attempts of the same delivery. */
function isFirstOfDelivery(
  { queues }: AnyTopology,
  { queue, attempt }: Extract<TopologyEvent, { readonly type: 'attempt' }>,
): boolean {
  const immediate = (queues as Queues)[queue]?.retry.immediate ?? 0;
  return attempt.number === 1 || attempt.number > 1 + immediate;
}
