/**
 * Goal: dead jobs are counted by group, exactly, whatever makes them dead or not dead any more. Method: the real counter and routes over
 * a database on the real server; the counts are compared with those of the records.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { NO_RUN, newJob, replayDead } from '@fit/jobs';
import { countingRunStore } from '@fit/jobs/store';
import { createApp, listen } from '@fit/service';
import { type TestStore, testStore } from '../../../jobs/test/support/testStore.ts';
import { acceptToken } from '../../../service/test/support/acceptToken.ts';
import { NO_AUDIT } from '../../../service/test/support/noAudit.ts';
import { mergeCounts } from '../../src/failures/failure.ts';
import { FailureCounter } from '../../src/failures/failureCounter.ts';
import { failureRoutes } from '../../src/failures/failureRoutes.ts';
import { FailureStore } from '../../src/failures/store/failureStore.ts';

const TOKEN = 'q7Zr2mXc9Lw4Tn8Vb1Ks6Jd3Hf5Gy0Pe';
const CAUSES = ['exhausted', 'fatal', 'expired'] as const;
const JOB_COUNT = 10_000;
const GROUP_COUNT = 40;

interface Failure {
  readonly fingerprint: string;
  readonly state: string;
  readonly cause: string;
  readonly kinds: readonly { readonly name: string; readonly count: number }[];
  readonly count: number;
  readonly share: number;
  readonly trend: readonly number[];
  readonly sample?: { readonly jobId: string; readonly reason: string };
}
interface List {
  readonly failures: readonly Failure[];
  readonly groups: number;
  readonly total: number | null;
  readonly exact: boolean;
  readonly asOf: string | null;
}

async function serve(t: TestContext) {
  const store = await testStore(t);
  const failures = new FailureStore(store.database);
  const app = createApp({
    routes: failureRoutes({ failures }),
    authenticate: acceptToken(TOKEN),
    audit: NO_AUDIT,
    onRequest: () => undefined,
    onDefect: (error) => assert.fail(String(error)),
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  const ask = async <Reply>(path: string, body?: object): Promise<Reply> => {
    const response = await fetch(server.url + path, {
      method: body === undefined ? 'GET' : 'PATCH',
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Reply;
  };
  let nowMs = 0;
  const counter = new FailureCounter({ ...store, failures, nowMs: () => nowMs });
  /** One round, an hour after the one before. */
  const count = async () => {
    nowMs += 3_600_000;
    await counter.round();
  };
  return { store, failures, ask, count };
}

/** Stores live jobs of two kinds. */
async function storeJobs(store: TestStore, count: number): Promise<string[]> {
  const jobs = Array.from({ length: count }, (_, index) =>
    newJob(
      {
        kind: index % 4 === 0 ? 'b' : 'a',
        key: String(index).padStart(6, '0'),
        payload: { index },
      },
      { runId: NO_RUN, batch: 'batch', now: store.clock.now() },
    ),
  );
  await store.jobs.insert(jobs);
  return jobs.map(({ _id }) => _id);
}

function groupOf(id: string): number {
  return Number(id.slice(2)) % GROUP_COUNT;
}

async function kill(store: TestStore, ids: readonly string[]): Promise<void> {
  const at = store.clock.now();
  const changes = ids.map((id) => {
    const group = groupOf(id);
    const cause = CAUSES[group % 3] ?? 'fatal';
    const death = { cause, fingerprint: `fingerprint-${group}`, reason: `failed ${group}`, at };
    return { id, generation: 1, death };
  });
  await store.jobs.change('markDead', changes);
}

/** @returns the dead jobs by fingerprint, from their records. */
async function deadIn(store: TestStore): Promise<Record<string, number>> {
  const rows = await store
    .raw('jobs')
    .aggregate<{ _id: string; count: number }>([
      { $match: { state: 'dead' } },
      { $group: { _id: '$death.fingerprint', count: { $sum: 1 } } },
    ])
    .toArray();
  return Object.fromEntries(rows.map(({ _id, count }) => [_id, count]));
}

function byFingerprint({ failures }: List): Record<string, number> {
  return Object.fromEntries(failures.map(({ fingerprint, count }) => [fingerprint, count]));
}

test('10,000 mixed failures are grouped from counters, exactly after replays, deletions and new deaths', async (t) => {
  const { store, ask, count } = await serve(t);
  const unknown = await ask<List>('/failures');
  assert.deepEqual([unknown.total, unknown.asOf, unknown.failures], [null, null, []]);
  const ids = await storeJobs(store, JOB_COUNT + 500);
  await kill(store, ids.slice(0, JOB_COUNT));
  const startedAt = performance.now();
  await count();
  t.diagnostic(`${JOB_COUNT} dead jobs: ${Math.round(performance.now() - startedAt)} ms`);
  const list = await ask<List>('/failures?limit=500');
  assert.deepEqual([list.total, list.groups, list.exact], [JOB_COUNT, GROUP_COUNT, true]);
  assert.deepEqual(byFingerprint(list), await deadIn(store));
  const group = await ask<Failure>('/failures/fingerprint-4');
  assert.deepEqual(
    [group.cause, group.count, group.share, group.state, group.sample?.reason],
    ['fatal', 250, 0.025, 'open', 'failed 4'],
  );
  assert.deepEqual(
    [group.trend.length, group.trend.at(-1), group.kinds],
    [24, 250, [{ name: 'b', count: 250 }]],
  );
  // Some are replayed, some deleted, some done after all, and others die.
  const countingRuns = countingRunStore(store.database, store);
  const replay = { stores: store, countingRuns, replayId: 'replay', onProgress: () => undefined };
  await replayDead({ ...replay, filter: { fingerprint: 'fingerprint-4' } });
  await store.jobs.finish({ ids: ids.slice(0, 100), attemptCount: 1, workerId: 'w' });
  await store.jobs.deleteEnded(ids.slice(1_000, 1_200), NO_RUN);
  await kill(store, ids.slice(JOB_COUNT));
  await count();
  const after = await ask<List>('/failures?limit=500');
  const dead = await deadIn(store);
  assert.deepEqual(byFingerprint(after), dead);
  assert.equal(
    after.total,
    Object.values(dead).reduce((sum, number) => sum + number, 0),
  );
});

test('a death after a group was resolved opens it again, and an ignored group stays ignored', async (t) => {
  const { store, ask, count, failures } = await serve(t);
  const ids = await storeJobs(store, 3 * GROUP_COUNT);
  const ofGroup = (group: number) => ids.filter((id) => groupOf(id) === group);
  const [first = '', second = '', third = ''] = ofGroup(1);
  await kill(store, [first, ...ofGroup(2).slice(0, 1)]);
  await count();
  const path = '/failures/fingerprint-1';
  assert.equal((await ask<Failure>(path, { state: 'resolved' })).state, 'resolved');
  await ask('/failures/fingerprint-2', { state: 'ignored' });
  await count();
  assert.equal((await ask<Failure>(path)).state, 'resolved');
  await kill(store, [second, ...ofGroup(2).slice(1)]);
  await count();
  assert.equal((await ask<Failure>(path)).state, 'open');
  const ignored = await ask<List>('/failures?state=ignored');
  assert.deepEqual(byFingerprint(ignored), { 'fingerprint-2': 3 });
  // A process that was suspended does not replace newer counts by older ones.
  const before = await failures.find('fingerprint-1');
  await failures.count('fingerprint-1', { ...before!, count: 7 }, new Date(0));
  assert.equal((await ask<Failure>(path)).count, 2);
  await kill(store, [third]);
  await store.jobs.finish({ ids: [first, second, third], attemptCount: 1, workerId: 'w' });
  await count();
  const over = await ask<Failure>(path);
  assert.deepEqual([over.count, over.sample, over.cause], [0, undefined, '']);
  assert.equal((await ask<List>('/failures')).groups, 1);
  // Beyond its limit the counter says that it has not counted all.
  await new FailureCounter({ ...store, failures, jobLimit: 2 }).round();
  const cut = await ask<List>('/failures');
  assert.deepEqual([cut.total, cut.exact], [2, false]);
});

test('times and trend keep the deaths of jobs that are not dead any more, for 24 hours', () => {
  const at = (hour: number) => new Date(hour * 3_600_000);
  const counted = (...hours: { hour: number; count: number }[]) => ({
    count: 3,
    causes: [],
    kinds: [],
    hours,
    firstAt: at(hours[0]?.hour ?? 0),
    lastAt: at(hours.at(-1)?.hour ?? 0),
  });
  const before = counted({ hour: 5, count: 1 }, { hour: 30, count: 2 });
  const now = counted({ hour: 30, count: 1 }, { hour: 31, count: 4 });
  const { hours, firstAt, lastAt } = mergeCounts(before, now, at(31));
  const expected = [
    { hour: 30, count: 2 },
    { hour: 31, count: 4 },
  ];
  assert.deepEqual([hours, firstAt, lastAt], [expected, at(5), at(31)]);
  assert.equal(mergeCounts(before, undefined, at(31)).count, 0);
});
