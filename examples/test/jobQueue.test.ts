/**
 * Goal: jobs of accounts are all done, each with one result, while a worker is killed and the broker is restarted; urgent ones pass
 * the others. Method: the requests of the README, on a broker of its own, since the shared one must not be restarted.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePorts, type Stack, startStack } from '@fit/stack';
import { eventually, testDatabaseUrl } from '@fit/stack/testing';
import { MongoClient } from 'mongodb';
import { Program } from './support/program.ts';
import { readmeRequests } from './support/readmeRequests.ts';

/** The workers do at most five a second, so many are left when the urgent ones are done. */
const LOW_JOBS = 80;

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

interface Job {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly result: unknown;
  readonly error: string | null;
  readonly created_at: string;
  readonly updated_at: string;
}

type Request = (method: string, path: string, body?: unknown) => Promise<Answer>;

interface JobQueue {
  readonly program: Program;
  readonly broker: Stack;
  readonly users: Request;
  readonly jobsOf: (token?: string) => Request;
}

async function startJobQueue(t: TestContext): Promise<JobQueue> {
  const databaseUrl = testDatabaseUrl();
  const ports = await freePorts();
  const broker = await startStack({
    name: `job-queue-${process.pid}`,
    ports,
    servers: ['rabbitmq'],
  });
  t.after(async () => {
    await broker.stop({ purge: true });
    await using client = new MongoClient(databaseUrl);
    await client.db().dropDatabase();
  });
  const program = new Program(
    t,
    { amqpUrl: broker.amqpUrl, managementUrl: broker.managementUrl ?? '', vhost: '/' },
    ['job-queue/start.ts', '--workers', '5'],
    {
      MONGODB_URL: databaseUrl,
      USER_PORT: String(ports.monolith),
      JOB_PORT: String(ports.coach),
      MORE_TYPES: join(import.meta.dirname, 'support/job-types'),
      PREFETCH_COUNT: '2',
      WORK_MS: '2000',
    },
  );
  const requests =
    (port: number, token?: string): Request =>
    async (method, path, body) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json()) as Answer['body'] };
    };
  const users = requests(ports.monolith);
  const jobsOf = (token?: string) => requests(ports.coach, token);
  for (const request of [users, jobsOf()])
    await eventually(async () => (await request('GET', '/healthz')).status === 200, {
      deadlineMs: 60_000,
      describe: () => program.lines.join('\n'),
    });
  return { program, broker, users, jobsOf };
}

async function isRefused(answer: Promise<Answer>, status: number, field: string) {
  const { status: answered, body } = await answer;
  const { error } = body as { error: { field: string; reason: string } };
  assert.deepEqual([answered, error.field], [status, field]);
  assert.ok(error.reason.length > 5);
}

test('every job is done once, whatever is killed, and urgent ones pass', async (t) => {
  const { program, broker, users, jobsOf } = await startJobQueue(t);
  const limits = { deadlineMs: 120_000, describe: () => program.lines.join('\n') };

  assert.deepEqual((await users('GET', '/healthz')).body, {
    status: 'ok',
    dependencies: { database: 'up' },
  });
  assert.deepEqual((await jobsOf()('GET', '/healthz')).body, {
    status: 'ok',
    dependencies: { broker: 'up', database: 'up' },
  });

  const ann = { email: 'Ann@example.org', password: 'correct horse', name: 'Ann' };
  const register = (account: object) => users('POST', '/auth/register', account);
  const login = (email: string, password: string) =>
    users('POST', '/auth/login', { email, password });
  const registered = await register(ann);
  assert.deepEqual([registered.status, registered.body['email']], [201, 'ann@example.org']);
  assert.ok(!JSON.stringify(registered.body).includes('assword'));
  await isRefused(register({ ...ann, email: 'ANN@example.org' }), 409, 'email');
  await isRefused(register({ ...ann, email: 'ann' }), 400, 'email');
  await isRefused(register({ ...ann, password: 'short' }), 400, 'password');
  await isRefused(register({ email: 'a@example.org', password: 'long enough' }), 400, 'name');
  const wrong = await login(ann.email, 'wrong horse');
  assert.equal(wrong.status, 401);
  assert.deepEqual(await login('nobody@example.org', 'wrong horse'), wrong);
  const loggedIn = await login(ann.email, ann.password);
  assert.equal(loggedIn.status, 200);
  const ofAnn = jobsOf(loggedIn.body['token'] as string);
  await register({ ...ann, email: 'bob@example.org' });
  const ofBob = jobsOf((await login('bob@example.org', ann.password)).body['token'] as string);

  const answers: number[] = [];
  let [token, id] = ['', ''];
  for (const { method, port, path, body: text } of await readmeRequests('job-queue')) {
    const request = port === 5001 ? users : jobsOf(token);
    const { status, body } = await request(method, path.replace('$ID', id), text);
    answers.push(status);
    if (typeof body['token'] === 'string') token = body['token'];
    if (typeof body['jobId'] === 'string') id = body['jobId'];
  }
  // Ann is registered already.
  assert.deepEqual(answers, [409, 200, 201, 200, 200, 200]);

  const post = async (type: string, payload: unknown, priority?: string) => {
    const request = { type, payload, ...(priority === undefined ? {} : { priority }) };
    const { status, body } = await ofAnn('POST', '/jobs', request);
    assert.deepEqual([status, body['status'], body['type']], [201, 'QUEUED', type]);
    assert.ok(!Number.isNaN(Date.parse(body['created_at'] as string)));
    return body['jobId'] as string;
  };
  const jobOf = async (id: string) => (await ofAnn('GET', `/jobs/${id}`)).body as unknown as Job;
  const ended = (id: string, status: string) =>
    eventually(async () => {
      const job = await jobOf(id);
      return job.status === status && job;
    }, limits);
  const fibonacci = { type: 'fibonacci_calc', payload: { n: 91 } };
  await isRefused(jobsOf()('POST', '/jobs', fibonacci), 401, 'authorization');
  await isRefused(jobsOf('a.b.c')('GET', '/jobs'), 401, 'authorization');
  await isRefused(ofAnn('POST', '/jobs', fibonacci), 400, 'payload.n');
  await isRefused(ofAnn('POST', '/jobs', { type: 'sort', payload: {} }), 400, 'type');
  await isRefused(
    ofAnn('POST', '/jobs', { type: 'uppercase_text', payload: { text: 'a' }, priority: 'top' }),
    400,
    'priority',
  );
  // The body fits, and the message of the job is larger.
  const long = { type: 'always_fails', payload: { reason: 'x'.repeat(65_400) } };
  await isRefused(ofAnn('POST', '/jobs', long), 400, 'payload');
  await isRefused(ofAnn('GET', '/jobs?limit=0'), 400, 'limit');

  const ids = await Promise.all(
    Array.from({ length: LOW_JOBS }, (_, number) =>
      post('uppercase_text', { text: `text ${number}` }, 'low'),
    ),
  );
  const failing = await post('always_fails', { reason: 'out of ink' });
  const medium = await post('reverse_string', { text: 'abc' });
  const high = await post('fibonacci_calc', { n: 90 }, 'high');

  assert.equal((await ended(high, 'COMPLETED')).result, '2880067194370816120');
  assert.equal((await ended(medium, 'COMPLETED')).result, 'cba');
  const list = async (query: string) => {
    const { body } = await ofAnn('GET', `/jobs?${query}`);
    return body as unknown as { jobs: Job[]; next: string | null };
  };
  const { jobs: atThatTime } = await list('limit=100');
  const low = atThatTime.filter(({ type }) => type === 'uppercase_text');
  assert.equal(low.length, LOW_JOBS);
  assert.ok(
    low.some(({ status }) => status === 'QUEUED' || status === 'PROCESSING'),
    'the urgent ones waited for the others',
  );

  await eventually(async () => {
    const { jobs } = await list('limit=100');
    return jobs.some(({ status }) => status === 'PROCESSING');
  }, limits);
  const worker = program.lines.find((line) => line.startsWith('worker-1: process '));
  process.kill(Number(worker?.split(' ').at(-1)), 'SIGKILL');
  await broker.restart('rabbitmq');

  for (const [number, id] of ids.entries())
    assert.equal((await ended(id, 'COMPLETED')).result, `TEXT ${number}`);
  const failed = await ended(failing, 'FAILED');
  assert.deepEqual(
    [failed.type, failed.result, failed.error],
    ['always_fails', null, 'out of ink'],
  );
  assert.ok(program.lines.includes('worker-1: ended (SIGKILL), started again'));

  const listed: Job[] = [];
  for (let before: string | null = ''; before !== null; ) {
    const page: { jobs: Job[]; next: string | null } = await list(
      `limit=50${before === '' ? '' : `&before=${before}`}`,
    );
    listed.push(...page.jobs);
    before = page.next;
  }
  // Ids begin with their time, and the low ones were posted side by side.
  assert.deepEqual(
    listed.map(({ id }) => id),
    [high, medium, failing, ...ids.toSorted().toReversed(), id],
  );

  await isRefused(ofBob('GET', `/jobs/${high}`), 404, 'id');
  await isRefused(ofAnn('GET', '/jobs/7'), 404, 'id');
  assert.deepEqual((await ofBob('GET', '/jobs')).body, { jobs: [], next: null });
  await program.stop();
  assert.equal(program.exitCode, 0, limits.describe());
});
