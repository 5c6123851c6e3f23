/**
 * Goal: a log says which job, run, attempt and trace, and never a secret or a payload, failures included. Method: real
 * processes at LOG_LEVEL=debug with a long password, failing jobs, hostile messages; then every line is read.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FitClient, followRun } from '@fit/client';
import { sampleUsers, startSystem } from '@fit/stack';
import {
  askManagement,
  eventually,
  type Teardown,
  testBroker,
  testDatabaseUrl,
} from '@fit/stack/testing';
import { connect } from 'amqplib';
import { openCollector, tracedTo } from './support/collector.ts';

const REPOSITORY = resolve(import.meta.dirname, '../../..');
const DAY = '2026-01-05';
const WAIT_MS = 60_000;

type Line = Readonly<Record<string, unknown>>;

/** A user of the broker whose password nobody may read anywhere. */
async function brokerUser(teardown: Teardown, vhost: string, amqpUrl: string) {
  const password = `pw-${randomBytes(12).toString('hex')}`;
  const name = `user-${randomUUID()}`;
  await askManagement({
    method: 'PUT',
    path: `/api/users/${name}`,
    body: { password, tags: 'administrator' },
  });
  teardown.after(async () => {
    await askManagement({ method: 'DELETE', path: `/api/users/${name}` });
  });
  const path = `/api/permissions/${vhost}/${name}`;
  await askManagement({
    method: 'PUT',
    path,
    body: { configure: '.*', write: '.*', read: '.*' },
  });
  const url = new URL(amqpUrl);
  url.username = name;
  url.password = password;
  return { password, amqpUrl: url.href };
}

function linesOf(log: string): Line[] {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

async function startLoud(t: TestContext, env: Record<string, string>) {
  const broker = await testBroker(t);
  const { amqpUrl, password } = await brokerUser(t, broker.vhost, broker.amqpUrl);
  const folder = join(tmpdir(), `fit-test-${randomUUID()}`);
  const system = await startSystem({
    amqpUrl,
    managementUrl: broker.managementUrl,
    mongodbUrl: testDatabaseUrl(),
    folder,
    env: { LOG_LEVEL: 'debug', FIT_TIERS: '100ms', COACH_FAILURE_RATE: '1', ...env },
  });
  t.after(async () => {
    await system.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const [coach] = system.coaches;
  const logs = async () => ({
    monolith: await readFile(system.monolith.logPath, 'utf8'),
    coach: await readFile(coach?.logPath ?? '', 'utf8'),
  });
  return { system, amqpUrl, password, logs };
}

test('lines tell job, run, attempt, trace and request, and no secret and no payload', async (t) => {
  const collector = await openCollector(t);
  const { system, amqpUrl, password, logs } = await startLoud(t, tracedTo(collector));
  const client = new FitClient(system.monolith.url, system.adminToken);
  await client.createUsers(sampleUsers(3));
  const marker = `payload-${randomUUID()}`;
  await publishHostile(amqpUrl, marker);
  const headers = { 'x-request-id': 'night.shift-1' };
  const reply = await client.request('POST', '/generateWods', { body: { date: DAY }, headers });
  const { runId } = reply as { runId: string };
  const status = await followRun({ client, runId, waitMs: WAIT_MS, onProgress: () => undefined });
  assert.deepEqual(status.states, { dead: 3 });
  await eventually(async () => (await logs()).coach.includes('refused before an attempt'), {
    describe: async () => (await logs()).coach,
  });
  const { monolith, coach } = await logs();
  expectAttempt(linesOf(coach), runId);
  expectRequest(linesOf(monolith), runId);
  const published = linesOf(monolith).filter(({ msg }) => msg === 'published');
  assert.deepEqual(
    published.map(({ job_id, run_id, state }) => [job_id, run_id, state]).sort(),
    sampleUsers(3).map(({ id }) => [`createWod:${id}:${DAY}`, runId, 'queued']),
  );
  for (const log of [monolith, coach])
    for (const secret of [password, system.adminToken, marker, '"payload"', '"equipment"'])
      assert.ok(
        !log.includes(secret),
        log.split('\n').find((line) => line.includes(secret)),
      );
});

/** Not JSON; JSON that is no job; a job whose payload is wrong. Each with a text that no log may hold. */
async function publishHostile(amqpUrl: string, marker: string): Promise<void> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createConfirmChannel();
  const job = { version: 1, id: 'x', kind: 'createWod', generation: 1, payload: { user: marker } };
  const headers = { traceparent: marker, 'run-id': marker.repeat(100) };
  for (const body of [marker, JSON.stringify({ marker }), JSON.stringify(job)])
    channel.publish('jobs', 'job.createWod', Buffer.from(body), { headers });
  await channel.waitForConfirms();
  await connection.close();
}

function expectAttempt(lines: readonly Line[], runId: string): void {
  const attempts = lines.filter(({ msg }) => msg === 'attempted');
  assert.equal(attempts.length, 6);
  for (const line of attempts) {
    assert.match(String(line['job_id']), /^createWod:sample-/);
    assert.match(String(line['trace_id']), /^[0-9a-f]{32}$/);
    assert.match(String(line['span_id']), /^[0-9a-f]{16}$/);
    assert.equal(typeof line['duration_ms'], 'number');
    assert.deepEqual(
      [line['run_id'], line['queue'], line['outcome'], line['error_class'], line['service']],
      [runId, 'createWodQueue', 'retry', 'SimulatedFailure', 'coach'],
    );
  }
  assert.deepEqual(
    new Set(attempts.map((line) => `${String(line['attempt'])} ${String(line['state'])}`)),
    new Set(['1 waiting', '2 dead']),
  );
}

function expectRequest(lines: readonly Line[], runId: string): void {
  const line = lines.find(({ request_id }) => request_id === 'night.shift-1');
  assert.deepEqual(
    [line?.['method'], line?.['route'], line?.['status'], line?.['run_id']],
    ['POST', '/generateWods', 202, runId],
  );
  assert.match(String(line?.['trace_id']), /^[0-9a-f]{32}$/);
}

test('a request without a sane id gets one, and the answer has it', async (t) => {
  const { system } = await startLoud(t, {});
  const idFor = async (given?: string) => {
    const headers = given === undefined ? {} : { 'x-request-id': given };
    return (await fetch(`${system.monolith.url}/runs`, { headers })).headers.get('x-request-id');
  };
  assert.equal(await idFor('mine:7'), 'mine:7');
  for (const given of [undefined, 'two words', 'x'.repeat(65), '{"a":1}', 'sp\u00e4t'])
    assert.match((await idFor(given)) ?? '', /^[0-9a-f-]{36}$/, given);
});

interface Complainer {
  readonly main: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of the complaint that is waited for; others may come before it. */
  readonly wanted: RegExp;
}

/** @returns what it wrote until it had complained so. */
async function complaintsOf(t: TestContext, { main, env, wanted }: Complainer): Promise<string> {
  const child = spawn(process.execPath, [main], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PORT: '0', METRICS_PORT: '0', ...env },
  });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => (output += part));
  const isWanted = (line: Line) => Number(line['level']) >= 40 && wanted.test(JSON.stringify(line));
  await eventually(() => output.endsWith('\n') && linesOf(output).some(isWanted), {
    deadlineMs: 30_000,
    describe: () => `no complaint like ${String(wanted)}:\n${output}`,
  });
  return output;
}

test('a wrong LOG_LEVEL stops the start with one line that names it', async (t) => {
  const output = await complaintsOf(t, {
    main: 'coach/src/main.ts',
    env: { LOG_LEVEL: 'loud' },
    wanted: /LOG_LEVEL='loud' must be one of info, trace/,
  });
  assert.deepEqual(
    linesOf(output).map(({ level }) => level),
    [60],
  );
});

test('a broker that refuses a password, and a database that is away, are told of without it', async (t) => {
  const password = `pw-${randomBytes(12).toString('hex')}`;
  const { amqpUrl } = await testBroker(t);
  const broker = new URL(amqpUrl);
  broker.password = password;
  const [MONGODB_URL, FIT_ADMIN_TOKEN] = [testDatabaseUrl(), randomBytes(24).toString('hex')];
  const refused = await complaintsOf(t, {
    main: 'coach/src/main.ts',
    env: { AMQP_URL: broker.href, AMQP_MANAGEMENT_URL: '', MONGODB_URL },
    wanted: /ACCESS.REFUSED/,
  });
  const away = await complaintsOf(t, {
    main: 'monolith/src/main.ts',
    env: {
      AMQP_URL: amqpUrl,
      AMQP_MANAGEMENT_URL: '',
      FIT_ADMIN_TOKEN,
      MONGODB_URL: `mongodb://nobody:${password}@127.0.0.1:9/fit`,
    },
    wanted: /MongoServerSelectionError/,
  });
  for (const output of [refused, away])
    for (const secret of [password, FIT_ADMIN_TOKEN]) assert.ok(!output.includes(secret), output);
});
