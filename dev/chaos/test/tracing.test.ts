/**
 * Goal: one trace contains everything that happens to a job, and tracing that is off, or whose collector is down, breaks
 * nothing. Method: real processes; a coach that fails every attempt is replaced after the second one.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { sampleUsers } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { runProgram } from './support/programs.ts';
import { DATE, startSystemUnderTest, waitForRun } from './support/systemUnderTest.ts';
import { openTraceCollector, type Span, traceVariables } from './support/traceCollector.ts';

/** The second tier is long enough to replace the coach while the job waits. */
const TIERS_MS = [1_000, 10_000];

interface JobReply {
  readonly state: string;
  readonly attempts: readonly object[];
}

test('a job that fails twice is one trace: request, publish, three attempts, two waits, three record writes', async (t) => {
  const collector = await openTraceCollector(t);
  const env = { FIT_TIERS: '1s,10s,20s', ...traceVariables(collector) };
  const tested = await startSystemUnderTest(t, { ...env, COACH_FAILURE_RATE: '1' });
  const { client, system } = tested;
  const [user] = sampleUsers(1);
  await client.createUsers([user!]);
  const { runId } = await client.generateWods({ date: DATE });
  const path = `/jobs/createWod:${user!.id}:${DATE}`;
  await eventually(
    async () => ((await client.request('GET', path)) as JobReply).attempts.length === 2,
    { describe: async () => JSON.stringify(await client.request('GET', path)) },
  );
  await system.removeCoach(0, 'stop');
  await system.addCoach({ COACH_FAILURE_RATE: '0' });
  assert.deepEqual((await waitForRun(tested, runId)).states, { done: 1 });
  const spans = await traceOf(collector.spans, 10);
  const request = onlySpan(spans, 'POST /generateWods');
  const publish = onlySpan(spans, 'publish jobs:job.createWod');
  const [attempts, waits] = [
    spansNamed(spans, 'process createWodQueue'),
    spansNamed(spans, 'wait '),
  ];
  expectRequestAndPublish(request, publish);
  for (const span of [...attempts, ...waits]) assert.equal(span.parentSpanId, publish.spanId);
  for (const span of [publish, ...attempts, ...waits])
    assert.equal(span.attributes['messaging.message.id'], `createWod:${user!.id}:${DATE}`);
  expectAttempts(attempts);
  expectWaits(waits, attempts);
  assert.deepEqual(
    spansNamed(spans, 'bulkWrite jobs').map((span) => [
      span.parentSpanId,
      span.attributes['fit.transition'],
    ]),
    attempts.map(({ spanId }, index) => [spanId, index < 2 ? 'wait' : 'finish']),
  );
  expectKnownParents(collector.spans);
});

/** Waits until the trace of the request has so many spans. @returns them in the order of their start. */
async function traceOf(spans: readonly Span[], count: number): Promise<Span[]> {
  const found = () => {
    const request = spans.find(({ name }) => name === 'POST /generateWods');
    return spans.filter(({ traceId }) => traceId === request?.traceId);
  };
  await eventually(() => found().length === count, {
    describe: () => JSON.stringify(spans, undefined, 1),
  });
  return found().toSorted((a, b) => a.startMs - b.startMs);
}

function spansNamed(spans: readonly Span[], name: string): Span[] {
  return spans.filter((span) => span.name.startsWith(name));
}

function onlySpan(spans: readonly Span[], name: string): Span {
  const [span, ...others] = spansNamed(spans, name);
  assert.ok(span !== undefined && others.length === 0, `${name}: ${JSON.stringify(spans)}`);
  return span;
}

function expectRequestAndPublish(request: Span, publish: Span): void {
  assert.deepEqual([request.kind, request.service, request.parentSpanId], [2, 'monolith', '']);
  assert.equal(request.attributes['http.response.status_code'], 202);
  assert.equal(request.attributes['http.route'], '/generateWods');
  assert.deepEqual([publish.kind, publish.service], [4, 'monolith']);
  assert.deepEqual([publish.parentSpanId, publish.links], [request.spanId, []]);
  assert.equal(publish.attributes['fit.outcome'], 'confirmed');
}

function expectAttempts(attempts: readonly Span[]): void {
  const failure = 'SimulatedFailure';
  assert.deepEqual(
    attempts.map(({ kind, service, isError, attributes }) => [
      kind,
      service,
      isError,
      attributes['fit.attempt'],
      attributes['fit.outcome'],
      attributes['error.type'],
    ]),
    [
      [5, 'coach', true, 1, 'retry', failure],
      [5, 'coach', true, 2, 'retry', failure],
      [5, 'coach', false, 3, 'done', undefined],
    ],
  );
}

/**
 * Each wait lasts as long as its tier and lies between two attempts, with a tolerance of a millisecond for reading the
 * clock. The pause between a wait and the next attempt depends on the machine, so it is not checked.
 */
function expectWaits(waits: readonly Span[], attempts: readonly Span[]): void {
  assert.equal(waits.length, TIERS_MS.length);
  for (const [index, wait] of waits.entries()) {
    const [before, after] = [attempts[index]!, attempts[index + 1]!];
    const seen = JSON.stringify([before, wait, after]);
    assert.equal(wait.attributes['fit.tier'], index + 1);
    assert.equal(wait.endMs - wait.startMs, TIERS_MS[index], seen);
    assert.ok(wait.startMs >= before.endMs - 1, seen);
    assert.ok(wait.endMs <= after.startMs + 1, seen);
  }
}

function expectKnownParents(spans: readonly Span[]): void {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  assert.deepEqual(
    spans.filter(({ parentSpanId }) => parentSpanId !== '' && !ids.has(parentSpanId)),
    [],
  );
}

test('in a run too large for one trace each job has a trace of its own, which is linked to the request', async (t) => {
  const collector = await openTraceCollector(t);
  const OTEL_TRACES_SAMPLER = 'parentbased_always_on';
  const tested = await startSystemUnderTest(t, {
    ...traceVariables(collector),
    OTEL_TRACES_SAMPLER,
  });
  await tested.client.createUsers(sampleUsers(150));
  const { runId } = await tested.client.generateWods({ date: DATE });
  assert.deepEqual((await waitForRun(tested, runId)).states, { done: 150 });
  const publishes = () => spansNamed(collector.spans, 'publish ');
  const stores = () => spansNamed(collector.spans, 'bulkWrite jobs');
  await eventually(() => publishes().length === 150 && stores().length === 150, {
    describe: () => `${publishes().length} publishes, ${stores().length} stores of 150`,
  });
  const request = onlySpan(await traceOf(collector.spans, 1), 'POST /generateWods');
  const link = `${request.traceId}-${request.spanId}`;
  assert.equal(new Set(publishes().map(({ traceId }) => traceId)).size, 150);
  for (const publish of publishes())
    assert.deepEqual([publish.parentSpanId, publish.links], ['', [link]]);
  expectKnownParents(collector.spans);
});

test('without a sampler about a tenth of a large run is traced, and a job has either all its spans or none', async (t) => {
  const collector = await openTraceCollector(t);
  const tested = await startSystemUnderTest(t, traceVariables(collector));
  await tested.client.createUsers(sampleUsers(300));
  const { runId } = await tested.client.generateWods({ date: DATE });
  assert.deepEqual((await waitForRun(tested, runId)).states, { done: 300 });
  // Coach first, then monolith: each sends its remaining spans before it ends.
  await tested.system.stop();
  const traces = (name: string) =>
    new Set(spansNamed(collector.spans, name).map(({ traceId }) => traceId));
  const published = traces('publish ');
  assert.ok(published.size > 3 && published.size < 100, String(published.size));
  assert.deepEqual(traces('process '), published);
  assert.deepEqual(traces('bulkWrite '), published);
  expectKnownParents(collector.spans);
});

test('a replayed job continues its first trace, with a link to the trace of the replay', async (t) => {
  const collector = await openTraceCollector(t);
  const env = { FIT_TIERS: '100ms', ...traceVariables(collector) };
  const tested = await startSystemUnderTest(t, { ...env, COACH_FAILURE_RATE: '1' });
  await tested.client.createUsers(sampleUsers(1));
  const { runId } = await tested.client.generateWods({ date: DATE });
  assert.deepEqual((await waitForRun(tested, runId)).states, { dead: 1 });
  await tested.system.removeCoach(0, 'stop');
  await tested.system.addCoach({ COACH_FAILURE_RATE: '0' });
  const replay = await runProgram(['monolith/src/replayCommand.ts'], tested.env);
  assert.equal(replay.code, 0, replay.output);
  // The request; a publish, two attempts, one wait and two record writes; then a publish, an attempt and a record write.
  const spans = await traceOf(collector.spans, 10);
  const operation = onlySpan(collector.spans, 'replay');
  assert.deepEqual([operation.service, operation.attributes['fit.job.count']], ['replay', 1]);
  assert.deepEqual(
    spansNamed(spans, 'publish ').map(({ attributes, links }) => [
      attributes['fit.job.generation'],
      links,
    ]),
    [
      [1, []],
      [2, [`${operation.traceId}-${operation.spanId}`]],
    ],
  );
  expectKnownParents(collector.spans);
});

test('modules of OpenTelemetry are loaded while tracing is on, and none while it is off', async (t) => {
  const preload = resolve(import.meta.dirname, 'support/reportLoadedModules.ts');
  const NODE_OPTIONS = `--import=${preload}`;
  const collector = await openTraceCollector(t);
  const off = await startSystemUnderTest(t, { NODE_OPTIONS });
  const on = await startSystemUnderTest(t, { NODE_OPTIONS, ...traceVariables(collector) });
  const loaded = async (path: string) =>
    (await readFile(path, 'utf8')).split('\n').filter((line) => line.startsWith('loaded module '))
      .length;
  for (const { logPath } of [off.system.monolith, ...off.system.coaches])
    assert.equal(await loaded(logPath), 0, logPath);
  for (const { logPath } of [on.system.monolith, ...on.system.coaches])
    assert.ok((await loaded(logPath)) > 10, logPath);
});

test('a collector that is down is logged once and delays neither jobs nor the stop', async (t) => {
  const env = { ...traceVariables({ url: 'http://127.0.0.1:9' }), OTEL_BSP_MAX_QUEUE_SIZE: '20' };
  const tested = await startSystemUnderTest(t, { ...env, OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10' });
  await tested.client.createUsers(sampleUsers(300));
  const { runId } = await tested.client.generateWods({ date: DATE });
  assert.deepEqual((await waitForRun(tested, runId)).states, { done: 300 });
  const { logPath } = tested.system.coaches[0]!;
  const warnings = async () =>
    (await readFile(logPath, 'utf8')).split('\n').filter((line) => line.includes('collector'));
  await eventually(async () => (await warnings()).length > 0, {
    deadlineMs: 20_000,
    describe: async () => await readFile(logPath, 'utf8'),
  });
  const startedAt = performance.now();
  await tested.system.removeCoach(0, 'stop');
  assert.ok(performance.now() - startedAt < 10_000);
  assert.equal((await warnings()).length, 1);
});

test('a collector address that is no URL ends the start and is named', async (t) => {
  await assert.rejects(
    startSystemUnderTest(t, { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }),
    /OTEL_EXPORTER_OTLP_ENDPOINT='collector:4318' must be a URL/,
  );
});
