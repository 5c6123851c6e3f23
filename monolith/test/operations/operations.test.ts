/**
 * Goal: an operation replays exactly the jobs that it was asked for, once each, and says what became of each of them. Method: the real
 * routes and the real runner over a database on the real server; the test ends the replayed jobs as workers do.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type JobRecord, NO_RUN, newJob } from '@fit/jobs';
import { countingRunStore, DocumentCollection } from '@fit/jobs/store';
import { createApp, IdempotencyStore, listen } from '@fit/service';
import { type TestStore, testStore } from '../../../jobs/test/support/testStore.ts';
import { acceptToken } from '../../../service/test/support/acceptToken.ts';
import { NO_AUDIT } from '../../../service/test/support/noAudit.ts';
import { paceOf } from '../../src/operations/operation.ts';
import { operationRoutes } from '../../src/operations/operationRoutes.ts';
import { OperationRunner } from '../../src/operations/operationRunner.ts';
import { PAYLOAD_RULES } from '../../src/operations/payloadRules.ts';
import { OperationStore } from '../../src/operations/store/operationStore.ts';

const TOKEN = 'q7Zr2mXc9Lw4Tn8Vb1Ks6Jd3Hf5Gy0Pe';
const DATE = '2026-12-05';
/** Fast enough that no round waits. */
const FAST = { ratePerSecond: 100_000, reason: 'a test' };

interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function serve(t: TestContext) {
  const store = await testStore(t);
  const operations = new OperationStore(store.database);
  await operations.ensureIndexes();
  const idempotency = new IdempotencyStore(store.database);
  await idempotency.ensureIndexes();
  const rules = PAYLOAD_RULES;
  const app = createApp({
    routes: operationRoutes({
      stores: store,
      operations,
      jobs: store.jobs,
      rules,
      defaultRate: () => 10,
      onChange: () => undefined,
    }),
    authenticate: acceptToken(TOKEN),
    idempotency,
    audit: NO_AUDIT,
    onRequest: () => undefined,
    onDefect: (error) => assert.fail(String(error)),
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  const ask = async (method: string, path: string, body?: object, key?: string): Promise<Reply> => {
    const response = await fetch(server.url + path, {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Reply['body'] };
  };
  /** One process of the monolith. */
  const runner = () =>
    new OperationRunner({
      stores: store,
      countingRuns: countingRunStore(store.database, store),
      operations,
      rules,
      onPart: () => undefined,
    });
  const { signal } = new AbortController();
  const first = runner();
  /** Rounds until nothing is due. */
  const run = async () => {
    while (await first.round(signal));
  };
  const start = async (request: object): Promise<string> => {
    const { status, body } = await ask('POST', '/operations', {
      type: 'replay',
      ...FAST,
      ...request,
    });
    assert.equal(status, 202, JSON.stringify(body));
    return String(body['id']);
  };
  const outcomesOf = async (id: string, limit = 500) => {
    const found: { jobId: string; outcome: string; reason?: string }[] = [];
    for (let after: string | undefined; ; ) {
      const from = after === undefined ? '' : `&after=${after}`;
      const { body } = await ask('GET', `/operations/${id}/jobs?limit=${limit}${from}`);
      const jobs = body['jobs'] as typeof found;
      assert.ok(jobs.length <= limit);
      found.push(...jobs);
      after = body['next'] as string | undefined;
      if (after === undefined) return found;
    }
  };
  return { store, operations, ask, runner, run, start, signal, outcomesOf };
}

/** Stores jobs that died. @returns their ids, sorted. */
async function storeDead(
  store: TestStore,
  users: readonly string[],
  death: { cause?: 'exhausted' | 'fatal'; fingerprint?: string; reason?: string } = {},
): Promise<string[]> {
  const jobs = users.map((userId) =>
    newJob(
      {
        kind: 'createWod',
        key: `${userId}:${DATE}`,
        payload: { userId, date: DATE, level: 'rx', equipment: [], exclusions: [] },
      },
      { runId: NO_RUN, batch: 'batch', now: store.clock.now() },
    ),
  );
  await store.jobs.insert(jobs);
  const ids = jobs.map(({ _id }) => _id).sort();
  await markDead(store, ids, 1, death);
  return ids;
}

async function markDead(
  store: TestStore,
  ids: readonly string[],
  generation: number,
  { cause = 'exhausted', fingerprint = 'f', reason = 'r' }: Parameters<typeof storeDead>[2] = {},
): Promise<void> {
  const death = { cause, fingerprint, reason, at: store.clock.now() };
  await store.jobs.change(
    'markDead',
    ids.map((id) => ({ id, generation, death })),
  );
}

async function finish(store: TestStore, ids: readonly string[]): Promise<void> {
  await store.jobs.finish({ ids, attemptCount: 1, workerId: 'worker' });
}

function users(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `user-${String(index).padStart(4, '0')}`);
}

test('a dry run counts exactly and changes nothing; with its asOf later deaths stay out, and each outcome is listed', async (t) => {
  const { store, ask, run, start, outcomesOf } = await serve(t);
  const ids = await storeDead(store, users(7), { reason: 'no barbell (42)' });
  const [done = '', ...dead] = ids;
  await finish(store, [done]);
  const dry = await ask('POST', '/operations', {
    type: 'replay',
    dryRun: true,
    ids: [...ids, 'createWod:nobody:2026-12-05'],
    reason: 'look',
  });
  assert.equal(dry.status, 200);
  const { asOf, count, skipped, samples, durationSeconds } = dry.body;
  assert.deepEqual([count, durationSeconds, (samples as unknown[]).length], [6, 0.6, 5]);
  assert.deepEqual(skipped, [
    { jobId: done, reason: 'is done' },
    { jobId: 'createWod:nobody:2026-12-05', reason: 'does not exist' },
  ]);
  assert.equal((await store.jobs.find(dead[0] ?? ''))?.state, 'dead');
  const [later = ''] = await storeDead(store, ['later'], { reason: 'no barbell (43)' });
  const filter = { cause: 'exhausted', error: 'barbell (4', kind: 'createWod' };
  const id = await start({ filter, asOf });
  await run();
  assert.equal((await store.jobs.find(later))?.state, 'dead');
  const progress = async () => (await ask('GET', `/operations/${id}`)).body;
  const pending = await progress();
  assert.deepEqual(
    [pending['state'], pending['matched'], pending['replayed'], pending['exact']],
    ['completed', 6, 6, true],
  );
  // The jobs end in different ways; one dies again, is replayed by somebody else, and then succeeds.
  const [good = '', bad = '', twice = '', cancelled = '', gone = '', open = ''] = dead;
  await finish(store, [good]);
  await markDead(store, [bad, twice], 2);
  await store.jobs.change('cancel', [{ id: cancelled, generation: 2 }]);
  await store.raw('jobs').deleteOne({ _id: gone });
  await start({ ids: [twice, open] });
  await run();
  await finish(store, [twice]);
  const expected = [
    { jobId: good, outcome: 'succeeded' },
    { jobId: bad, outcome: 'failedAgain' },
    { jobId: twice, outcome: 'failedAgain' },
    { jobId: cancelled, outcome: 'cancelled' },
    { jobId: gone, outcome: 'deleted' },
    { jobId: open, outcome: 'pending' },
  ];
  assert.deepEqual(await outcomesOf(id, 4), expected);
  const counts = { pending: 1, succeeded: 1, failedAgain: 2, cancelled: 1, deleted: 1 };
  assert.deepEqual((await progress())['outcomes'], counts);
  await finish(store, [open]);
  await run();
  // What happens to a job afterwards does not change what the operation did to it.
  await store.raw('jobs').deleteMany({});
  assert.deepEqual(await outcomesOf(id, 4), [
    ...expected.slice(0, 5),
    { jobId: open, outcome: 'succeeded' },
  ]);
  assert.deepEqual((await progress())['outcomes'], { ...counts, pending: 0, succeeded: 2 });
  const { body } = await ask('GET', '/operations?limit=1');
  const [newest] = body['operations'] as { selection: unknown; skipped: number }[];
  assert.deepEqual([newest?.selection, newest?.skipped], [{ ids: [twice, open], idCount: 2 }, 1]);
});

test('an operation pauses, resumes and is aborted, and answers 409 with its state where that is not possible', async (t) => {
  const { store, ask, run, start, outcomesOf } = await serve(t);
  await storeDead(store, users(30), { fingerprint: 'ab12' });
  const id = await start({ fingerprint: 'ab12', pauseAfter: 4 });
  const change = async (verb: string) => {
    const { status, body } = await ask('POST', `/operations/${id}/${verb}`);
    return [status, body['state']];
  };
  await run();
  assert.deepEqual(
    (({ state, replayed }) => [state, replayed])(
      (await ask('GET', `/operations/${id}`)).body as { state: string; replayed: number },
    ),
    ['paused', 4],
  );
  assert.deepEqual(await change('pause'), [409, 'paused']);
  assert.deepEqual(await change('resume'), [200, 'running']);
  assert.deepEqual(await change('pause'), [200, 'paused']);
  await run();
  assert.equal((await outcomesOf(id)).length, 4);
  assert.deepEqual(await change('abort'), [200, 'aborted']);
  assert.deepEqual(await change('resume'), [409, 'aborted']);
  await run();
  assert.equal(await store.dead.count({}), 26);
  const limited = await start({ all: true, limit: 6 });
  await run();
  const { body } = await ask('GET', `/operations/${limited}`);
  assert.deepEqual([body['state'], body['replayed'], body['matched']], ['completed', 6, 26]);
  assert.equal((await ask('POST', '/operations/nothing/abort')).status, 404);
  const both = await ask('POST', '/operations', { type: 'replay', all: true, ids: ['x'], ...FAST });
  assert.equal(both.status, 400);
  const asOf = '2999-01-01T00:00:00Z';
  const future = await ask('POST', '/operations', { type: 'replay', all: true, asOf, ...FAST });
  assert.equal(future.status, 400);
  // A repetition with the same key is the same operation.
  const request = { type: 'replay', all: true, ...FAST };
  const [one, two] = [
    await ask('POST', '/operations', request, 'key'),
    await ask('POST', '/operations', request, 'key'),
  ];
  assert.deepEqual([one.status, two.body['id']], [202, one.body['id']]);
});

test('an edit is checked for every job before one is touched, and the original payload is kept', async (t) => {
  const { store, ask, run, start } = await serve(t);
  const [first = '', second = ''] = await storeDead(store, ['ann', 'ben']);
  const odd = newJob(
    { kind: 'unknown', key: 'x', payload: {} },
    { runId: NO_RUN, batch: '', now: store.clock.now() },
  );
  await store.jobs.insert([odd]);
  await markDead(store, [odd._id], 1);
  const edit = { level: 'beginner', equipment: ['dumbbell'] };
  const refused = await ask('POST', '/operations', { type: 'replay', all: true, edit, ...FAST });
  assert.deepEqual([refused.status, refused.body['code']], [422, 'edit_misfit']);
  assert.match(JSON.stringify(refused.body['errors']), /"unknown:x".*not known/);
  // Whose workout it is cannot be edited.
  const other = { type: 'replay', ids: [first, second], edit: { userId: 'ann' }, ...FAST };
  const misfits = (await ask('POST', '/operations', { ...other, dryRun: true })).body;
  assert.deepEqual(
    [misfits['count'], misfits['misfits']],
    [1, [{ jobId: second, reason: `the payload would belong to the job ann:${DATE}` }]],
  );
  assert.equal(await store.dead.count({}), 3);
  await start({ ids: [first, second], edit });
  await run();
  const job: JobRecord | null = await store.jobs.find(first);
  assert.deepEqual(
    [job?.state, job?.payload, job?.originalPayload],
    [
      'pending',
      { userId: 'ann', date: DATE, ...edit, exclusions: [] },
      { userId: 'ann', date: DATE, level: 'rx', equipment: [], exclusions: [] },
    ],
  );
});

test('two monoliths at once, and one that dies in a part: each job is replayed once and listed once', async (t) => {
  const { store, operations, runner, start, signal, outcomesOf } = await serve(t);
  const ids = await storeDead(store, users(1_200));
  const id = await start({ all: true });
  // The first process dies after its first part is pending and before that is noted.
  const dying = runner();
  const killed = new Error('killed');
  const finishPart = t.mock.method(operations, 'finishPart', () => Promise.reject(killed));
  await assert.rejects(dying.round(signal), killed);
  finishPart.mock.restore();
  assert.equal(await store.dead.count({}), 700);
  const two = [runner(), runner()];
  for (let isDue = true; isDue; )
    isDue = (await Promise.all(two.map((each) => each.round(signal)))).some(Boolean);
  const outcomes = await outcomesOf(id);
  assert.deepEqual(outcomes.map(({ jobId }) => jobId).sort(), ids);
  assert.ok(outcomes.every(({ outcome }) => outcome === 'pending'));
  const records = [...(await store.jobs.findAll(ids)).values()];
  assert.ok(records.every(({ generation, replays }) => generation === 2 && replays?.length === 1));
  const operation = await operations.find(id);
  assert.deepEqual(
    [operation?.state, operation?.replayed, operation?.skipped],
    ['completed', 1_200, 0],
  );
});

test('a process that loses the lease and gets it back replays and lists no job that another one has replayed meanwhile', async (t) => {
  const { store, operations, runner, start, signal, outcomesOf } = await serve(t);
  const ids = await storeDead(store, users(1_200));
  const id = await start({ all: true });
  // It has read every job, and carried out one part, when another process gets the lease.
  const former = runner();
  await former.round(signal);
  await runner().round(signal);
  while (await former.round(signal));
  assert.deepEqual((await outcomesOf(id)).map(({ jobId }) => jobId).sort(), ids);
  const operation = await operations.find(id);
  assert.deepEqual(
    [operation?.state, operation?.replayed, operation?.skipped],
    ['completed', 1_200, 0],
  );
});

test('a request whose process died while it stored the operation is repeated: skipped and replayed jobs are listed as they were', async (t) => {
  const { store, operations, run, outcomesOf } = await serve(t);
  const [dead = '', other = ''] = await storeDead(store, ['ann', 'ben']);
  // Read now: the time that this process knows may be before that of the deaths.
  const diedUntil = await store.clock.read();
  const request = (ids: readonly string[]) => ({
    selection: '{}',
    filter: { ids },
    diedUntil,
    matched: ids.length,
    reason: 'a test',
  });
  const skipped = [{ id: other, reason: 'is running' }];
  const now = store.clock.now();
  // It dies between two statements, whichever they are.
  const killed = new Error('killed');
  for (const statement of ['upsert', 'updateOne'] as const) {
    const id = `replay-${statement}`;
    const dying = t.mock.method(DocumentCollection.prototype, statement, () =>
      Promise.reject(killed),
    );
    await assert.rejects(operations.create(id, request([dead]), skipped, now), killed);
    dying.mock.restore();
  }
  // Meanwhile the other job has died.
  await operations.create('replay-upsert', request([dead, other]), [], now);
  await run();
  assert.deepEqual(await outcomesOf('replay-upsert'), [
    { jobId: dead, outcome: 'pending' },
    { jobId: other, outcome: 'pending' },
  ]);
  assert.equal((await outcomesOf('replay-updateOne')).at(0)?.outcome, 'skipped');
  for (const id of ['replay-upsert', 'replay-updateOne']) {
    const { replayed, skipped: skippedCount } = (await operations.find(id)) ?? {};
    const counts = Object.groupBy(await outcomesOf(id), ({ outcome }) => outcome);
    assert.deepEqual(
      [replayed, skippedCount],
      [counts['pending']?.length ?? 0, counts['skipped']?.length ?? 0],
    );
  }
});

test('any text of an error is looked for as it is', async (t) => {
  const { store, ask } = await serve(t);
  const reason = 'a-b \u{1F600}\u2028(c) \u00a0[d]\\';
  await storeDead(store, ['ann'], { reason });
  for (const [error, count] of [
    [reason, 1],
    ['\u2028', 1],
    ['a.b', 0],
    ['\0', 0],
    ['\ud800', 0],
  ] as const) {
    const request = { type: 'replay', filter: { error }, dryRun: true, reason: 'look' };
    const { status, body } = await ask('POST', '/operations', request);
    assert.deepEqual([status, body['count']], [200, count], JSON.stringify(error));
  }
});

test('the pace is one part a second, smaller ones with an edit', () => {
  const rates = [0.5, 10, 500, 2_000, undefined];
  assert.deepEqual(
    rates.map((ratePerSecond) => paceOf({ ratePerSecond })),
    [
      { size: 1, intervalMs: 2_000 },
      { size: 10, intervalMs: 1_000 },
      { size: 500, intervalMs: 1_000 },
      { size: 500, intervalMs: 250 },
      { size: 500, intervalMs: 0 },
    ],
  );
  assert.deepEqual(paceOf({ ratePerSecond: 200, edit: '{}' }), { size: 100, intervalMs: 500 });
});
