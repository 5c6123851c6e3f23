/**
 * Goal: one trace tells the whole way of a job, and tracing that is off, or has no collector, costs nothing and breaks
 * nothing. Method: real processes; a coach that fails everything is replaced after the second attempt.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FitClient, followRun } from '@fit/client';
import { type System, sampleUsers, startSystem } from '@fit/stack';
import { eventually, testBroker, testDatabaseUrl } from '@fit/stack/testing';
import { openCollector, type Span, tracedTo } from './support/collector.ts';

const REPOSITORY = resolve(import.meta.dirname, '../../..');
const WAIT_MS = 60_000;
const DAY = '2026-01-05';
/** The second is long enough to replace a coach, and to see that it is waited. */
const TIERS_MS = [1_000, 10_000];

interface World {
  readonly system: System;
  readonly client: FitClient;
  readonly env: Readonly<Record<string, string>>;
}

async function startWorld(t: TestContext, env: Record<string, string>): Promise<World> {
  const { amqpUrl, managementUrl } = await testBroker(t);
  const folder = join(tmpdir(), `fit-test-${randomUUID()}`);
  const mongodbUrl = testDatabaseUrl();
  const system = await startSystem({ amqpUrl, managementUrl, mongodbUrl, folder, env });
  t.after(async () => {
    await system.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const client = new FitClient(system.monolith.url, system.adminToken);
  return { system, client, env: { ...env, AMQP_URL: amqpUrl, MONGODB_URL: mongodbUrl } };
}

interface JobReply {
  readonly state: string;
  readonly attempts: readonly object[];
}

async function finished({ client }: World, runId: string) {
  return await followRun({ client, runId, waitMs: WAIT_MS, onProgress: () => undefined });
}

test('a job that fails twice is one trace: request, publish, three attempts, two waits, the store', async (t) => {
  const collector = await openCollector(t);
  const env = { FIT_TIERS: '1s,10s,20s', ...tracedTo(collector) };
  const world = await startWorld(t, { ...env, COACH_FAILURE_RATE: '1' });
  const { client, system } = world;
  const [user] = sampleUsers(1);
  await client.createUsers([user!]);
  const { runId } = await client.generateWods({ date: DAY });
  const path = `/jobs/createWod:${user!.id}:${DAY}`;
  await eventually(
    async () => ((await client.request('GET', path)) as JobReply).attempts.length === 2,
    { describe: async () => JSON.stringify(await client.request('GET', path)) },
  );
  await system.removeCoach(0, 'stop');
  await system.addCoach({ COACH_FAILURE_RATE: '0' });
  assert.deepEqual((await finished(world, runId)).states, { done: 1 });
  const spans = await traceOf(collector.spans, 10);
  const request = only(spans, 'POST /generateWods');
  const publish = only(spans, 'publish jobs:job.createWod');
  const [attempts, waits] = [named(spans, 'process createWodQueue'), named(spans, 'wait ')];
  expectRequestAndPublish(request, publish);
  for (const span of [...attempts, ...waits]) assert.equal(span.parentSpanId, publish.spanId);
  for (const span of [publish, ...attempts, ...waits])
    assert.equal(span.attributes['messaging.message.id'], `createWod:${user!.id}:${DAY}`);
  expectAttempts(attempts);
  expectWaits(waits, attempts);
  assert.deepEqual(
    named(spans, 'bulkWrite jobs').map((span) => [
      span.parentSpanId,
      span.attributes['fit.transition'],
    ]),
    attempts.map(({ spanId }, index) => [spanId, index < 2 ? 'wait' : 'finish']),
  );
  expectNoOrphans(collector.spans);
});

/** @returns the spans of the request's trace, in the order of time, once there are so many. */
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

function named(spans: readonly Span[], name: string): Span[] {
  return spans.filter((span) => span.name.startsWith(name));
}

function only(spans: readonly Span[], name: string): Span {
  const [span, ...others] = named(spans, name);
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
      ...[kind, service, isError, attributes['fit.attempt'], attributes['fit.outcome']],
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
 * Each lasts as long as its tier and lies between two attempts, but for the millisecond that a clock is read in. How soon
 * one follows the other is up to the machine.
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

function expectNoOrphans(spans: readonly Span[]): void {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  assert.deepEqual(
    spans.filter(({ parentSpanId }) => parentSpanId !== '' && !ids.has(parentSpanId)),
    [],
  );
}

test('a run too large for one trace has a trace for each job, linked to the request', async (t) => {
  const collector = await openCollector(t);
  const OTEL_TRACES_SAMPLER = 'parentbased_always_on';
  const world = await startWorld(t, { ...tracedTo(collector), OTEL_TRACES_SAMPLER });
  await world.client.createUsers(sampleUsers(150));
  const { runId } = await world.client.generateWods({ date: DAY });
  assert.deepEqual((await finished(world, runId)).states, { done: 150 });
  const publishes = () => named(collector.spans, 'publish ');
  const stores = () => named(collector.spans, 'bulkWrite jobs');
  await eventually(() => publishes().length === 150 && stores().length === 150, {
    describe: () => `${publishes().length} publishes, ${stores().length} stores of 150`,
  });
  const request = only(await traceOf(collector.spans, 1), 'POST /generateWods');
  const link = `${request.traceId}-${request.spanId}`;
  assert.equal(new Set(publishes().map(({ traceId }) => traceId)).size, 150);
  for (const publish of publishes())
    assert.deepEqual([publish.parentSpanId, publish.links], ['', [link]]);
  expectNoOrphans(collector.spans);
});

test('without a sampler a tenth or so of a large run is traced, each job whole or not at all', async (t) => {
  const collector = await openCollector(t);
  const world = await startWorld(t, tracedTo(collector));
  await world.client.createUsers(sampleUsers(300));
  const { runId } = await world.client.generateWods({ date: DAY });
  assert.deepEqual((await finished(world, runId)).states, { done: 300 });
  // Coach first, then monolith: each sends what it has before it ends.
  await world.system.stop();
  const traces = (name: string) =>
    new Set(named(collector.spans, name).map(({ traceId }) => traceId));
  const published = traces('publish ');
  assert.ok(published.size > 3 && published.size < 100, String(published.size));
  assert.deepEqual(traces('process '), published);
  assert.deepEqual(traces('bulkWrite '), published);
  expectNoOrphans(collector.spans);
});

test('a replay keeps the first trace and links its own', async (t) => {
  const collector = await openCollector(t);
  const env = { FIT_TIERS: '100ms', ...tracedTo(collector) };
  const world = await startWorld(t, { ...env, COACH_FAILURE_RATE: '1' });
  await world.client.createUsers(sampleUsers(1));
  const { runId } = await world.client.generateWods({ date: DAY });
  assert.deepEqual((await finished(world, runId)).states, { dead: 1 });
  await world.system.removeCoach(0, 'stop');
  await world.system.addCoach({ COACH_FAILURE_RATE: '0' });
  const replay = spawn(process.execPath, ['monolith/src/replayCommand.ts'], {
    cwd: REPOSITORY,
    stdio: 'ignore',
    env: { ...process.env, ...world.env },
  });
  assert.deepEqual(await once(replay, 'exit'), [0, null]);
  // Request; then publish, two attempts with their wait and two stores; then publish, attempt and store.
  const spans = await traceOf(collector.spans, 10);
  const operation = only(collector.spans, 'replay');
  assert.deepEqual([operation.service, operation.attributes['fit.job.count']], ['replay', 1]);
  assert.deepEqual(
    named(spans, 'publish ').map(({ attributes, links }) => [
      attributes['fit.job.generation'],
      links,
    ]),
    [
      [1, []],
      [2, [`${operation.traceId}-${operation.spanId}`]],
    ],
  );
  expectNoOrphans(collector.spans);
});

test('off, nothing of OpenTelemetry is loaded; on, it is', async (t) => {
  const preload = resolve(import.meta.dirname, 'support/tellModules.ts');
  const NODE_OPTIONS = `--import=${preload}`;
  const collector = await openCollector(t);
  const off = await startWorld(t, { NODE_OPTIONS });
  const on = await startWorld(t, { NODE_OPTIONS, ...tracedTo(collector) });
  const loaded = async (path: string) =>
    (await readFile(path, 'utf8')).split('\n').filter((line) => line.startsWith('telling: '))
      .length;
  for (const { logPath } of [off.system.monolith, ...off.system.coaches])
    assert.equal(await loaded(logPath), 0, logPath);
  for (const { logPath } of [on.system.monolith, ...on.system.coaches])
    assert.ok((await loaded(logPath)) > 10, logPath);
});

test('a collector that is away is told of once and hinders no job, nor the stop', async (t) => {
  const env = { ...tracedTo({ url: 'http://127.0.0.1:9' }), OTEL_BSP_MAX_QUEUE_SIZE: '20' };
  const world = await startWorld(t, { ...env, OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10' });
  await world.client.createUsers(sampleUsers(300));
  const { runId } = await world.client.generateWods({ date: DAY });
  assert.deepEqual((await finished(world, runId)).states, { done: 300 });
  const { logPath } = world.system.coaches[0]!;
  const complaints = async () =>
    (await readFile(logPath, 'utf8')).split('\n').filter((line) => line.includes('collector'));
  await eventually(async () => (await complaints()).length > 0, {
    deadlineMs: 20_000,
    describe: async () => await readFile(logPath, 'utf8'),
  });
  const startedAt = performance.now();
  await world.system.removeCoach(0, 'stop');
  assert.ok(performance.now() - startedAt < 10_000);
  assert.equal((await complaints()).length, 1);
});

test('a collector that is no URL stops the start, with its name', async (t) => {
  await assert.rejects(
    startWorld(t, { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }),
    /OTEL_EXPORTER_OTLP_ENDPOINT='collector:4318' must be a URL/,
  );
});
