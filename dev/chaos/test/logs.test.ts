/**
 * Goal: log lines name job, run, attempt and trace, and never contain a secret or a payload, also on failures. Method:
 * real processes at LOG_LEVEL=debug with a random password, failing jobs and hostile messages; all lines are read.
 */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { sampleUsers } from '@fit/stack';
import {
  askManagement,
  eventually,
  type Teardown,
  testBroker,
  testDatabaseUrl,
} from '@fit/stack/testing';
import { connect } from 'amqplib';
import { startProgram } from './support/programs.ts';
import { DATE, startSystemUnderTest, waitForRun } from './support/systemUnderTest.ts';
import { openTraceCollector, traceVariables } from './support/traceCollector.ts';

type Line = Readonly<Record<string, unknown>>;

/** Creates a user of the broker; no log may contain its password. */
async function createBrokerUser(teardown: Teardown, vhost: string, amqpUrl: string) {
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

async function startAtDebugLevel(t: TestContext, env: Readonly<Record<string, string>>) {
  const { vhost, amqpUrl: guestUrl, managementUrl } = await testBroker(t);
  const { amqpUrl, password } = await createBrokerUser(t, vhost, guestUrl);
  const tested = await startSystemUnderTest(
    t,
    { LOG_LEVEL: 'debug', FIT_TIERS: '100ms', COACH_FAILURE_RATE: '1', ...env },
    { broker: { amqpUrl, managementUrl } },
  );
  const { monolith, coaches } = tested.system;
  const readLogs = async () => ({
    monolith: await readFile(monolith.logPath, 'utf8'),
    coach: await readFile(coaches[0]?.logPath ?? '', 'utf8'),
  });
  return { tested, amqpUrl, password, readLogs };
}

test('log lines name job, run, attempt, trace and request, and contain no secret and no payload', async (t) => {
  const collector = await openTraceCollector(t);
  const { tested, amqpUrl, password, readLogs } = await startAtDebugLevel(
    t,
    traceVariables(collector),
  );
  const { client, system } = tested;
  await client.createUsers(sampleUsers(3));
  const marker = `payload-${randomUUID()}`;
  await publishHostile(amqpUrl, marker);
  const headers = { 'x-request-id': 'night.shift-1' };
  const reply = await client.request('POST', '/generateWods', { body: { date: DATE }, headers });
  const { runId } = reply as { runId: string };
  assert.deepEqual((await waitForRun(tested, runId)).states, { dead: 3 });
  await eventually(async () => (await readLogs()).coach.includes('refused before an attempt'), {
    describe: async () => (await readLogs()).coach,
  });
  const { monolith, coach } = await readLogs();
  expectAttempt(linesOf(coach), runId);
  expectRequest(linesOf(monolith), runId);
  const published = linesOf(monolith).filter(({ msg }) => msg === 'published');
  assert.deepEqual(
    published.map(({ job_id, run_id, state }) => [job_id, run_id, state]).sort(),
    sampleUsers(3).map(({ id }) => [`createWod:${id}:${DATE}`, runId, 'queued']),
  );
  for (const log of [monolith, coach])
    for (const secret of [
      password,
      await system.client.token(),
      marker,
      '"payload"',
      '"equipment"',
    ])
      assert.ok(
        !log.includes(secret),
        log.split('\n').find((line) => line.includes(secret)),
      );
});

/** Publishes no JSON, JSON that is no job, and a job with a wrong payload, each with a text that no log may contain. */
async function publishHostile(amqpUrl: string, marker: string): Promise<void> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createConfirmChannel();
  const payload = { user: marker };
  const job = { version: 1, id: 'x', kind: 'createWod', generation: 1, runId: marker, payload };
  const headers = { traceparent: marker };
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

test('a request without a valid id gets one, and the answer contains it', async (t) => {
  const { system } = await startSystemUnderTest(t);
  const idFor = async (given?: string) => {
    const headers = given === undefined ? {} : { 'x-request-id': given };
    return (await fetch(`${system.monolith.url}/runs`, { headers })).headers.get('x-request-id');
  };
  assert.equal(await idFor('mine:7'), 'mine:7');
  for (const given of [undefined, 'two words', 'x'.repeat(65), '{"a":1}', 'sp\u00e4t'])
    assert.match((await idFor(given)) ?? '', /^[0-9a-f-]{36}$/, given);
});

interface FailingService {
  readonly main: string;
  readonly env: Readonly<Record<string, string>>;
  /** The level of the expected line; warnings and errors before it are allowed. */
  readonly expected: RegExp;
}

/** Starts a service and waits for a line of level warn or above. @returns the output until then. */
async function readUntilLogged(
  t: TestContext,
  { main, env, expected }: FailingService,
): Promise<string> {
  const { output } = startProgram(t, [main], {
    ...process.env,
    PORT: '0',
    METRICS_PORT: '0',
    ...env,
  });
  const isExpected = (line: Line) =>
    Number(line['level']) >= 40 && expected.test(JSON.stringify(line));
  await eventually(() => output().endsWith('\n') && linesOf(output()).some(isExpected), {
    deadlineMs: 30_000,
    describe: () => `no line like ${String(expected)}:\n${output()}`,
  });
  return output();
}

test('a wrong LOG_LEVEL ends the start with one line that names it', async (t) => {
  const output = await readUntilLogged(t, {
    main: 'coach/src/main.ts',
    env: { LOG_LEVEL: 'loud' },
    expected: /LOG_LEVEL='loud' must be one of info, trace/,
  });
  assert.deepEqual(
    linesOf(output).map(({ level }) => level),
    [60],
  );
});

test('a refused broker password and an unreachable database are logged without the password', async (t) => {
  const password = `pw-${randomBytes(12).toString('hex')}`;
  const { amqpUrl } = await testBroker(t);
  const broker = new URL(amqpUrl);
  broker.password = password;
  const [MONGODB_URL, FIT_CRON_SECRET] = [testDatabaseUrl(), randomBytes(24).toString('hex')];
  const refused = await readUntilLogged(t, {
    main: 'coach/src/main.ts',
    env: { AMQP_URL: broker.href, AMQP_MANAGEMENT_URL: '', MONGODB_URL },
    expected: /ACCESS.REFUSED/,
  });
  const unreachable = await readUntilLogged(t, {
    main: 'monolith/src/main.ts',
    env: {
      AMQP_URL: amqpUrl,
      AMQP_MANAGEMENT_URL: '',
      FIT_CRON_SECRET,
      MONGODB_URL: `mongodb://nobody:${password}@127.0.0.1:9/fit`,
    },
    expected: /MongoServerSelectionError/,
  });
  for (const output of [refused, unreachable])
    for (const secret of [password, FIT_CRON_SECRET]) assert.ok(!output.includes(secret), output);
});
