/**
 * Goal: a job is stored once and belongs to whom it should, and what is wrong is refused by field and value. Method: a real server over a
 * real database, without relay; dev/chaos/test/newcomer.test.ts runs the jobs.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fitTopology, JOB_KINDS } from '@fit/contract';
import { Enqueuer } from '@fit/jobs';
import { countingRunStore } from '@fit/jobs/store';
import { bearerOf, createApp, IdempotencyStore, listen } from '@fit/service';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { NO_AUDIT } from '../../../service/test/support/noAudit.ts';
import { jobRoutes } from '../../src/routes/jobRoutes.ts';
import { userRoutes } from '../../src/routes/userRoutes.ts';
import { UserStore } from '../../src/store/userStore.ts';
import { JobSubmitter } from '../../src/submit/jobSubmitter.ts';
import { submitRoutes } from '../../src/submit/submitRoutes.ts';

const DAY = '2026-12-05';

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown> & {
    readonly jobId: string;
    readonly code?: string;
    readonly errors?: readonly { readonly field: string; readonly reason: string }[];
  };
}

/** The token names the caller: a member by the user id, everybody else by the role. */
async function serve(t: TestContext) {
  const store = await testStore(t);
  const users = new UserStore(store.database);
  await users.create([{ id: 'ann' }, { id: 'ben' }], new Date());
  const idempotency = new IdempotencyStore(store.database);
  await idempotency.ensureIndexes();
  const submitter = new JobSubmitter({
    enqueuer: new Enqueuer({ stores: store, relay: () => undefined }),
    users,
    declaration: fitTopology({ profile: 'default' }),
    today: () => DAY,
  });
  const countingRuns = countingRunStore(store.database, store);
  const app = createApp({
    routes: [
      ...submitRoutes({ ...store, submitter }),
      ...jobRoutes({ ...store, countingRuns, wakeRelay: () => undefined }),
      ...userRoutes({ ...store, users, timezone: 'UTC' }),
    ],
    authenticate: ({ authorization }) => {
      const name = bearerOf(authorization) ?? '';
      const isMember = name === 'ann' || name === 'ben';
      return Promise.resolve({
        accountId: name,
        pseudonym: `~${name}`,
        role: isMember ? 'member' : (name as 'operator' | 'admin'),
        ...(isMember ? { userId: name } : {}),
        via: 'bearer',
        credentialId: name,
      });
    },
    audit: NO_AUDIT,
    idempotency,
    onRequest: () => undefined,
    onDefect: (error) => assert.fail(String(error)),
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  const ask = async (
    caller: string,
    path: string,
    body?: unknown,
    key?: string,
  ): Promise<Reply> => {
    const response = await fetch(server.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${caller}`,
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Reply['body'] };
  };
  return { store, ask };
}

test('jobs of every kind are submitted, and each is read by its owner and by operators alone', async (t) => {
  const { store, ask } = await serve(t);
  const { status, body } = await ask('ann', '/jobs', {
    type: 'reverse_string',
    payload: { text: 'hello' },
    priority: 'high',
  });
  assert.equal(status, 202);
  assert.deepEqual(
    [body['status'], body['type'], body['result']],
    ['QUEUED', 'reverse_string', null],
  );
  assert.equal(body['created_at'], body['createdAt']);
  const path = `/jobs/${encodeURIComponent(body.jobId)}`;
  for (const [caller, expected] of [
    ['ann', 200],
    ['operator', 200],
    ['ben', 404],
  ] as const)
    assert.equal((await ask(caller, path)).status, expected, caller);
  const record = await store.jobs.find(body.jobId);
  assert.deepEqual([record?.owner, record?.priority, record?.isUrgent], ['ann', 'high', true]);

  // A workout is that of the caller and of today, as a run would make it.
  const own = await ask('ann', '/jobs', { type: 'createWod', payload: {} });
  assert.deepEqual([own.status, own.body.jobId], [202, `createWod:ann:${DAY}`]);
  assert.deepEqual((await store.jobs.find(own.body.jobId))?.payload, {
    userId: 'ann',
    date: DAY,
    level: 'beginner',
    equipment: [],
    exclusions: [],
  });
  const again = await ask('operator', '/jobs', { type: 'createWod', payload: { userId: 'ann' } });
  assert.deepEqual([again.status, again.body.jobId], [202, own.body.jobId]);
  const others = await ask('ann', '/jobs', { type: 'createWod', payload: { userId: 'ben' } });
  assert.deepEqual([others.status, others.body.code], [403, 'forbidden']);
  const nobody = await ask('admin', '/jobs', { type: 'createWod', payload: { userId: 'eve' } });
  assert.deepEqual([nobody.status, nobody.body.code], [404, 'user_not_found']);
  for (const [type, payload] of [
    ['uppercase_text', { text: '' }],
    ['fibonacci_calc', { n: 90 }],
  ] as const)
    assert.equal((await ask('operator', '/jobs', { type, payload })).status, 202, type);
});

test('what is wrong with a job is named by field, value and what it must be', async (t) => {
  const { ask } = await serve(t);
  const names = JOB_KINDS.map(({ name }) => name).join(', ');
  for (const [job, field, reason] of [
    [{ type: 'nothing', payload: {} }, 'body.type', `must be one of ${names}, not "nothing"`],
    [{ payload: {} }, 'body.type', `must be one of ${names}`],
    [{ type: 'fibonacci_calc', payload: { n: 91 } }, 'body.payload.n', 'must be <= 90, not 91'],
    [
      { type: 'fibonacci_calc', payload: { n: 1 }, priority: 'top' },
      'body.priority',
      'must be one of normal, high, not "top"',
    ],
    [
      { type: 'uppercase_text', payload: { txt: 'a', text: 'a' } },
      'body.payload.txt',
      'is not known; allowed are text',
    ],
    [
      { type: 'createWod', payload: { userId: 'ann', date: '2026-02-30' } },
      'body.payload.date',
      '2026-02-30 is not a calendar day',
    ],
    [{ type: 'createWod', payload: {} }, 'body.payload.userId', 'is missing: whose workout is it?'],
  ] as const) {
    const { status, body } = await ask('operator', '/jobs', job);
    assert.deepEqual([status, body.code, body.errors], [400, 'invalid_input', [{ field, reason }]]);
  }
  const user = await ask('admin', '/users', { id: 'cat', levle: 'rx' });
  assert.match(user.body.errors?.[0]?.reason ?? '', /is not known; allowed are id, name, level/);
  const { status, body } = await ask('admin', '/users', { id: 'cat' });
  assert.deepEqual([status, body['level'], body['equipment']], [201, 'beginner', []]);
});

test('of a batch the good items are stored although others are refused, and a repetition changes nothing', async (t) => {
  const { store, ask } = await serve(t);
  const jobs = [
    { type: 'uppercase_text', payload: { text: 'a' } },
    { type: 'uppercase_text', payload: { text: 7 } },
    'no job',
    { type: 'createWod', payload: { userId: 'ben' } },
    { type: 'createWod', payload: {} },
  ];
  const send = () => ask('ann', '/jobs/batch', { jobs }, 'key-1');
  const { status, body } = await send();
  assert.deepEqual([status, body['accepted'], body['refused']], [200, 2, 3]);
  const results = body['results'] as {
    index: number;
    job?: { jobId: string };
    problem?: { code: string; errors?: { field: string }[] };
  }[];
  assert.deepEqual(
    results.map(({ index, job, problem }) => [
      index,
      job === undefined ? problem?.code : 'accepted',
      problem?.errors?.[0]?.field,
    ]),
    [
      [0, 'accepted', undefined],
      [1, 'invalid_input', 'body.jobs.1.payload.text'],
      [2, 'invalid_input', 'body.jobs.2.type'],
      [3, 'forbidden', undefined],
      [4, 'accepted', undefined],
    ],
  );
  const ids = results.flatMap(({ job }) => job?.jobId ?? []);
  assert.equal((await store.jobs.findAll(ids)).size, 2);
  assert.deepEqual((await send()).body, body);
  assert.equal((await ask('ann', '/jobs/batch', { jobs: [] })).status, 400);

  const job = { type: 'uppercase_text', payload: { text: 'b' } };
  const [first, second] = [
    await ask('ann', '/jobs', job, 'k'),
    await ask('ann', '/jobs', job, 'k'),
  ];
  assert.equal(second.body.jobId, first.body.jobId);
  assert.notEqual((await ask('ann', '/jobs', job)).body.jobId, first.body.jobId);
  const many = Array.from({ length: 1_000 }, (_, n) => ({
    type: 'fibonacci_calc',
    payload: { n: n % 91 },
  }));
  assert.equal((await ask('operator', '/jobs/batch', { jobs: many })).body['accepted'], 1_000);
  const more = await ask('operator', '/jobs/batch', { jobs: [...many, many[0]] });
  assert.deepEqual([more.status, more.body.code], [400, 'invalid_input']);
});
