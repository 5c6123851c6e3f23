/**
 * Goal: a trace joins a publish with all attempts of its message, and the metrics are those of the conventions. Method: the
 * exporters of the SDK that keep everything in memory, and messages that are done, retried, rejected and refused on a real broker.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, testBroker } from '@fit/stack/testing';
import {
  createConnection,
  createPublisher,
  createWorker,
  defineTopology,
  reject,
} from '@fit/topology';
import { openTelemetryHooks } from '@fit/topology/otel';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { z } from 'zod';

class NoSuchAddress extends Error {
  override readonly name = 'NoSuchAddress';
}

const mail = defineTopology({
  exchange: 'mail',
  messages: { send: z.object({ to: z.string() }) },
  queues: { outbox: { on: ['send'], retry: { immediate: 1, delays: ['50ms'] } } },
});
/** Attributes of metrics that are compared. */
const LABELS = ['messaging.destination.name', 'topology.outcome', 'topology.cause', 'error.type'];
const PUBLISH = 'publish mail:send';
const PROCESS = 'process mail:send:outbox';

test('the attempts of a message are below its publish, failures have their class, and metrics count them', async (t) => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const spans = new InMemorySpanExporter();
  const tracers = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter: spans })],
  });
  const figures = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter: figures });
  const meters = new MeterProvider({ readers: [reader] });
  const tracer = tracers.getTracer('test');
  const hooks = openTelemetryHooks(mail, {
    tracer,
    meter: meters.getMeter('test'),
    attributes: { 'server.address': 'broker.example.org' },
  });

  const { amqpUrl } = await testBroker(t);
  const rabbit = await createConnection({ url: amqpUrl, logger: false });
  t.after(async () => {
    await rabbit.close({ deadline: 0 });
    await Promise.all([tracers.shutdown(), meters.shutdown()]);
    context.disable();
    propagation.disable();
  });
  /** Spans that handlers begin are below their attempt. */
  const inner: string[] = [];
  await createWorker({
    connection: rabbit,
    topology: mail,
    queue: 'outbox',
    hooks,
    handler: ({ body, attempt }) => {
      inner.push(trace.getActiveSpan()?.spanContext().spanId ?? 'none');
      if (body.to === 'nobody') throw new NoSuchAddress(body.to);
      if (body.to === 'elsewhere') return reject(new NoSuchAddress(body.to));
      if (body.to === 'bob' && attempt.number < 3) throw new Error('busy');
      return undefined;
    },
    onError: (error) => (error instanceof NoSuchAddress ? reject(error) : undefined),
  });
  const publisher = await createPublisher({ connection: rabbit, topology: mail, hooks });
  const parent = tracer.startSpan('request');
  await context.with(trace.setSpan(context.active(), parent), () =>
    publisher.publish('send', { to: 'bob' }, { id: 'bob' }),
  );
  parent.end();
  for (const to of ['ann', 'nobody', 'elsewhere'])
    await publisher.publish('send', { to }, { id: to });
  const refused = await publisher.tryPublish('send', { to: 7 } as never, { id: 'wrong' });
  assert.equal(refused.error?.code, 'INVALID');

  const spansOf = (id: string, name: string) =>
    spans
      .getFinishedSpans()
      .filter((span) => span.name === name && span.attributes['messaging.message.id'] === id)
      .sort(
        (a, b) =>
          Number(a.attributes['topology.attempt.number']) -
          Number(b.attributes['topology.attempt.number']),
      );
  const expected = { bob: 3, ann: 1, nobody: 1, elsewhere: 1 };
  const found = () =>
    Object.fromEntries(Object.keys(expected).map((id) => [id, spansOf(id, PROCESS).length]));
  await eventually(() => Object.entries(expected).every(([id, count]) => found()[id] === count), {
    describe: () => JSON.stringify(found()),
  });

  const [published] = spansOf('bob', PUBLISH);
  assert.ok(published !== undefined);
  assert.equal(published.kind, SpanKind.PRODUCER);
  assert.equal(published.parentSpanContext?.spanId, parent.spanContext().spanId);
  assert.deepEqual(published.attributes, {
    'server.address': 'broker.example.org',
    'messaging.system': 'rabbitmq',
    'messaging.operation.name': 'publish',
    'messaging.operation.type': 'send',
    'messaging.destination.name': 'mail:send',
    'messaging.message.id': 'bob',
    'rabbitmq.destination.routing_key': 'send',
  });
  const attempts = spansOf('bob', PROCESS);
  for (const attempt of attempts) {
    assert.equal(attempt.kind, SpanKind.CONSUMER);
    assert.equal(attempt.parentSpanContext?.spanId, published.spanContext().spanId);
    assert.equal(attempt.spanContext().traceId, parent.spanContext().traceId);
    assert.equal(attempt.attributes['messaging.destination.name'], 'mail:send:outbox');
    assert.ok(inner.includes(attempt.spanContext().spanId));
  }
  const endOf = ({ status, attributes }: ReadableSpan) => [status.code, attributes['error.type']];
  assert.deepEqual(attempts.map(endOf), [
    [SpanStatusCode.ERROR, 'Error'],
    [SpanStatusCode.ERROR, 'Error'],
    [SpanStatusCode.UNSET, undefined],
  ]);
  for (const id of ['nobody', 'elsewhere'])
    assert.deepEqual(spansOf(id, PROCESS).map(endOf), [[SpanStatusCode.ERROR, 'NoSuchAddress']]);
  assert.deepEqual(spansOf('wrong', PUBLISH), [], 'nothing was sent');

  // Each attempt is told once its message is settled; the last one may be on its way.
  const values = async () => {
    await reader.forceFlush();
    const page =
      figures
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap(({ metrics }) => metrics) ?? [];
    return page.flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes, value }) => {
        const labels = LABELS.map((name) => attributes[name]).filter(
          (label) => typeof label === 'string',
        );
        const count = typeof value === 'number' ? value : 'count' in value ? value.count : NaN;
        return `${descriptor.name} ${descriptor.unit} ${labels.join(' ')}: ${count}`;
      }),
    );
  };
  const wanted = [
    'messaging.client.consumed.messages {message} mail:send:outbox: 5',
    'messaging.client.operation.duration s mail:send: 4',
    'messaging.client.operation.duration s mail:send INVALID: 1',
    'messaging.client.sent.messages {message} mail:send: 4',
    'messaging.client.sent.messages {message} mail:send INVALID: 1',
    'messaging.process.duration s mail:send:outbox done: 2',
    'messaging.process.duration s mail:send:outbox reject NoSuchAddress: 2',
    'messaging.process.duration s mail:send:outbox retry Error: 2',
    'topology.dead_letters {message} outbox fatal: 2',
  ];
  let seen: string[] = [];
  await eventually(
    async () => {
      seen = (await values()).sort();
      return JSON.stringify(seen) === JSON.stringify(wanted.toSorted());
    },
    { describe: () => `expected\n${wanted.join('\n')}\nfound\n${seen.join('\n')}` },
  );
});
