/**
 * Goal: jobs are listed completely, once each, with the state that a reader expects. Method: a real server over a real database
 * with batches in each state.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { wodId } from '@fit/contract';
import { type JobRecord, newJob, pageBatchId } from '@fit/jobs';
import { countingRunStore } from '@fit/jobs/store';
import { createApp, listen } from '@fit/service';
import { type TestStore, testStore } from '../../../jobs/test/support/testStore.ts';
import { acceptToken } from '../../../service/test/support/acceptToken.ts';
import { NO_AUDIT } from '../../../service/test/support/noAudit.ts';
import { jobRoutes } from '../../src/routes/jobRoutes.ts';

const TOKEN = 'q7Zr2mXc9Lw4Tn8Vb1Ks6Jd3Hf5Gy0Pe';
const date = '2026-12-05';
const RUN = 'run-1';

interface ListedJob {
  readonly id: string;
  readonly state: string;
  readonly runId: string;
  readonly attemptCount: number;
  readonly attempts: readonly object[];
  readonly doneAt?: string;
  readonly workerId?: string;
  readonly deferred?: { readonly reason: string; readonly count: number };
}
interface List {
  readonly jobs: readonly ListedJob[];
  readonly count: { readonly value: number | null; readonly exact: boolean; readonly asOf: string };
  readonly next?: string;
}

async function serve(t: TestContext) {
  const store = await testStore(t);
  const app = createApp({
    routes: jobRoutes({
      ...store,
      countingRuns: countingRunStore(store.database, store),
      wakeRelay: () => undefined,
    }),
    authenticate: acceptToken(TOKEN),
    audit: NO_AUDIT,
    onRequest: () => undefined,
    onDefect: (error) => assert.fail(String(error)),
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  const get = async <Reply>(path: string): Promise<Reply> => {
    const response = await fetch(server.url + path, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    return (await response.json()) as Reply;
  };
  const post = async (path: string) => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const response = await fetch(server.url + path, { method: 'POST', headers });
    return (await response.json()) as { state: string; status?: number; code?: string };
  };
  const listAll = async (query: string, limit: number) => {
    const found: ListedJob[] = [];
    for (let after = ''; ; ) {
      const from = after === '' ? '' : `&after=${after}`;
      const { jobs, next } = await get<List>(`/jobs?limit=${limit}${query}${from}`);
      assert.ok(jobs.length <= limit);
      found.push(...jobs);
      if (next === undefined) return found;
      assert.notEqual(next, after);
      after = next;
    }
  };
  return { store, get, post, listAll };
}

interface Page {
  readonly runId: string;
  readonly number: number;
  readonly after: string;
  readonly users: readonly string[];
}

/** Stores an open batch with its jobs; jobs that exist stay those of their run. */
async function storePage(
  { jobs, batches, clock }: TestStore,
  { runId, number, after, users }: Page,
) {
  const batch = pageBatchId(runId, after);
  const now = clock.now();
  const records = users.map((userId) =>
    newJob({ kind: 'createWod', key: wodId(userId, date), payload: {} }, { runId, batch, now }),
  );
  const ids = records.map(({ _id }) => _id).sort();
  const last = users.at(-1) ?? '';
  const document = { _id: batch, runId, page: number, after, last, kind: 'createWod', ids };
  const held = await batches.insert({ ...document, createdAt: now, owner: '' }, now);
  await jobs.insert(records);
  assert.ok(held !== undefined);
  return { held, ids, records };
}

const idsOf = (jobs: readonly (ListedJob | JobRecord)[]) =>
  jobs.map((job) => ('id' in job ? job.id : job._id));

test('a pending job is shown as queued once its batch is published, and as deferred while the broker refuses it', async (t) => {
  const { store, get, listAll } = await serve(t);
  const users = ['a', 'b', 'c', 'd'];
  const published = await storePage(store, { runId: RUN, number: 0, after: '', users });
  const open = await storePage(store, { runId: RUN, number: 1, after: 'd', users: ['e', 'f'] });
  await store.batches.markPublished(published.held);
  await store.batches.release(open.held, 60_000, 'nacked');
  const [done = '', running = ''] = published.ids;
  await store.jobs.finish({ ids: [done], attemptCount: 1, workerId: 'w-1' });
  await store.jobs.renewRunning([running]);

  const queued = await get<ListedJob>(`/jobs/${published.ids[2] ?? ''}`);
  assert.deepEqual([queued.state, queued.deferred, queued.runId], ['queued', undefined, RUN]);
  const pending = await get<ListedJob>(`/jobs/${open.ids[0] ?? ''}`);
  assert.deepEqual(pending.deferred, { reason: 'nacked', count: 1 });
  const finished = await get<ListedJob>(`/jobs/${done}`);
  assert.deepEqual(
    [finished.state, finished.attemptCount, finished.attempts, finished.workerId],
    ['done', 1, [], 'w-1'],
  );
  assert.ok(finished.doneAt !== undefined);

  const states = {
    pending: open.ids,
    queued: published.ids.slice(2),
    running: [running],
    done: [done],
  };
  for (const [state, ids] of Object.entries(states))
    for (const run of ['', `&runId=${RUN}`])
      for (const limit of [1, 3, 500])
        assert.deepEqual(
          idsOf(await listAll(`&state=${state}${run}`, limit)),
          ids,
          `${state}${run} by ${limit}`,
        );
});

test('a run has all jobs of its pages, also those of earlier runs, and none of other batches', async (t) => {
  const { store, listAll } = await serve(t);
  // `a-b` is behind `a` as a user, and before it in the order of the jobs' ids.
  const first = await storePage(store, { runId: RUN, number: 0, after: '', users: ['a', 'a-b'] });
  const second = await storePage(store, { runId: RUN, number: 1, after: 'a-b', users: ['b', 'z'] });
  await storePage(store, { runId: 'run-10', number: 0, after: '', users: ['a', 'b', 'x'] });
  const now = store.clock.now();
  const rest = {
    _id: `${first.held._id}.1`,
    runId: RUN,
    kind: 'createWod',
    ids: first.ids.slice(0, 1),
  };
  await store.batches.insert({ ...rest, createdAt: now, owner: '' }, now);
  const all = [...first.ids, ...second.ids];
  for (const limit of [1, 2, 3, 500])
    assert.deepEqual(idsOf(await listAll(`&runId=${RUN}`, limit)), all, `by ${limit}`);
  const other = await listAll('&runId=run-10', 2);
  assert.deepEqual(
    other.map(({ id, runId }) => [id.split(':')[1], runId]),
    [
      ['a', RUN],
      ['b', RUN],
      ['x', 'run-10'],
    ],
  );
  assert.deepEqual(await listAll('&runId=nothing', 10), []);
  assert.equal((await listAll('', 2)).length, 5);
});

test('a list of a rare state reads on for some time, and then says where to go on', async (t) => {
  const { store, get } = await serve(t);
  for (let page = 0; page < 5; page += 1) {
    const users = Array.from({ length: 1_000 }, (_, index) => `u${page * 1_000 + index + 10_000}`);
    const after = page === 0 ? '' : `u${page * 1_000 + 9_999}`;
    await storePage(store, { runId: RUN, number: page, after, users });
  }
  await store.jobs.renewRunning([`createWod:u14999:${date}`]);
  const seen: List[] = [];
  for (let after = ''; ; ) {
    const from = after === '' ? '' : `&after=${after}`;
    const list: List = await get(`/jobs?runId=${RUN}&state=running&limit=500${from}`);
    seen.push(list);
    if (list.next === undefined) break;
    after = list.next;
  }
  assert.deepEqual(
    seen.map(({ jobs, next }) => [jobs.length, next?.split(':')[1]]),
    [
      [0, 'u13999'],
      [1, undefined],
    ],
  );
});

test('a list is filtered, says how many jobs match as far as it knows, and has no payload', async (t) => {
  const { store, get } = await serve(t);
  const { ids, records } = await storePage(store, {
    runId: RUN,
    number: 0,
    after: '',
    users: ['a', 'b', 'c'],
  });
  const [a = '', b = ''] = ids;
  await store.raw('jobs').updateOne({ _id: a }, { $set: { 'payload.level': 'beginner' } });
  const death = { cause: 'fatal' as const, reason: 'no host', fingerprint: 'f', at: new Date() };
  await store.jobs.change('markDead', [{ id: b, generation: 1, death }]);
  const created = records[0]?.createdAt.toISOString() ?? '';
  const later = new Date(Date.parse(created) + 1).toISOString();
  const cases: [string, readonly string[], number | null][] = [
    ['payload.level=beginner', [a], 1],
    ['kind=createWod&user=b', [b], 1],
    ['cause=fatal&error=host', [b], 1],
    ['cause=expired', [], 0],
    [`from=${created}&to=${later}`, ids, 3],
    [`from=${later}`, [], 0],
    ['attempts=2', [], 0],
    [`runId=${RUN}&user=c`, ids.slice(2), 1],
    [`runId=${RUN}&payload.level=beginner`, [a], 1],
    [`runId=${RUN}&state=dead`, [b], 1],
    ['state=pending', [a, ids[2] ?? ''], null],
    ['limit=1', [a], null],
  ];
  for (const [query, expected, value] of cases) {
    const { jobs, count } = await get<List>(`/jobs?${query}`);
    assert.deepEqual(idsOf(jobs), expected, query);
    if (query !== 'limit=1')
      assert.deepEqual([count.value, count.exact], [value, value !== null], query);
    assert.ok(!Number.isNaN(Date.parse(count.asOf)) && jobs.every((job) => !('payload' in job)));
  }
  assert.deepEqual(idsOf((await get<List>('/jobs?kind=reverse_string&payload.text=a')).jobs), []);
  for (const query of [
    'payload.nothing=1',
    'cause=fatal&state=done',
    'from=2026-13-01',
    'kind=x',
    'runId=-',
  ])
    assert.equal((await get<{ status?: number }>(`/jobs?${query}`)).status, 400, query);
});

test('a job has its timeline and its payload, and is retried where it is dead', async (t) => {
  const { store, get, post } = await serve(t);
  const { ids, held } = await storePage(store, { runId: RUN, number: 0, after: '', users: ['a'] });
  const [id = ''] = ids;
  await store.batches.markPublished(held);
  const at = (second: number) => new Date(Date.UTC(2026, 11, 5, 3, 0, second));
  const failed = { outcome: 'retry' as const, workerId: 'w', generation: 1 };
  const error = { class: 'TypeError', message: 'no host', fingerprint: 'f' };
  const first = { ...failed, number: 1, startedAt: at(0), endedAt: at(1), delayMs: 5_000, error };
  const second = { ...failed, number: 2, startedAt: at(8), endedAt: at(9), error };
  await store.jobs.change('wait', [{ id, generation: 1, attempt: first }]);
  const death = { cause: 'exhausted' as const, reason: 'no host', fingerprint: 'f', at: at(9) };
  await store.jobs.change('markDead', [{ id, generation: 1, attempt: second, death }]);
  const entriesOf = async () => {
    const { timeline } = await get<{ timeline: { entries: { type: string }[] } }>(`/jobs/${id}`);
    return timeline.entries;
  };
  const entries = await entriesOf();
  assert.deepEqual(
    entries.map(({ type }) => type),
    ['created', 'published', 'attempt', 'wait', 'attempt', 'died'],
  );
  assert.deepEqual(entries[3], {
    type: 'wait',
    at: at(1).toISOString(),
    plannedMs: 5_000,
    actualMs: 7_000,
  });

  assert.equal((await post(`/jobs/${id}/retry`)).state, 'pending');
  const refused = await post(`/jobs/${id}/retry`);
  assert.deepEqual([refused.status, refused.code, refused.state], [409, 'job_not_dead', 'pending']);
  await store.jobs.cancelPending(id);
  assert.deepEqual(
    (await entriesOf()).map(({ type }) => type),
    ['created', 'attempt', 'wait', 'attempt', 'replayed', 'cancelled'],
  );

  const long = 'é'.repeat(40_000);
  for (const [payload, shown] of [
    [{ level: 'rx' }, { bytes: 14, payload: { level: 'rx' } }],
    [long, { bytes: 80_002, head: `"${long.slice(0, 32_767)}` }],
  ] as const) {
    await store.raw('jobs').updateOne({ _id: id }, { $set: { payload } });
    assert.deepEqual(await get(`/jobs/${id}/payload`), { jobId: id, ...shown });
    assert.deepEqual(await get(`/jobs/${id}/payload.json`), payload);
  }
});
