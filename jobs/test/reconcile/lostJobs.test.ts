/**
 * Goal: a job is published again if the broker has lost it, and only then. Method: records in the real database, aged; the
 * depths of the queues and the clock are the test's. `broker/reconciler.test.ts` does the same with a broker and a worker.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultStaleAfterMs, type JobEvent, Reconciler } from '@fit/jobs';
import { declareTopology } from '@fit/topology';
import { workerStatus } from '../support/fakes.ts';
import {
  age,
  finishJobs,
  HOUR_MS,
  statesOf,
  storeRun,
  storeSingles,
} from '../support/storedRun.ts';
import { type TestStore, testStore } from '../support/testStore.ts';

const TWO_KINDS = declareTopology({
  exchange: 'jobs',
  kinds: {
    trivial: { key: 'job.trivial', queue: 'trivial', tiers: [50, 100] },
    other: {
      key: 'job.other',
      queue: 'other',
      tiers: ['5s', '10m'],
      deadline: '10m',
      priorities: ['normal', 'high'],
    },
  },
});

test('a job is stale after the longest retry path of any kind and half a minute', () => {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: {
      one: { key: 'job.one', queue: 'one', tiers: ['5s', '30s', '120s'] },
      two: { key: 'job.two', queue: 'two', tiers: ['1s'] },
    },
  });
  assert.equal(defaultStaleAfterMs(declaration), 185_000);
  const late = declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'job.one', queue: 'one', tiers: ['10s', '100s'], jitter: 0.5 } },
  });
  assert.equal(defaultStaleAfterMs(late), 195_000);
});

/** A reconciler with the given depths; other queues are empty. Each queue has as many consumers as `consumers` says. */
function reconcilerOf(store: TestStore, depths: Record<string, number | Error> = {}) {
  const consumers = { count: 0 };
  const clock = { nowMs: 1_000_000 };
  const events: JobEvent[] = [];
  const asked: string[] = [];
  const reconciler = new Reconciler({
    declaration: TWO_KINDS,
    stores: store,
    depthOf: (queue) => {
      asked.push(queue);
      const depth = depths[queue] ?? 0;
      return depth instanceof Error
        ? Promise.reject(depth)
        : Promise.resolve({ readyCount: depth, consumerCount: consumers.count });
    },
    staleAfterMs: HOUR_MS / 2,
    confirmMs: 12_000,
    nowMs: () => clock.nowMs,
    onEvent: (event) => events.push(event),
  });
  /** @returns how many jobs the round published again. */
  const round = async (afterMs: number) => {
    clock.nowMs += afterMs;
    return (await reconciler.round()).lostCount;
  };
  return { round, events, asked, depths, consumers };
}

/** Stores a run whose batches were published an hour ago. */
async function staleRun(store: TestStore, created: number, kind = 'trivial') {
  const run = await storeRun(store, [{ created }], { kind });
  await age(store, run.id, HOUR_MS);
  return run;
}

/** A worker that had a heartbeat `agoMs` before now, with these jobs in hand. */
async function storeWorker(
  store: TestStore,
  id: string,
  jobIds: readonly string[],
  agoMs = 0,
  kind = 'trivial',
) {
  await store.workers.beat(id, workerStatus(kind), jobIds);
  const seenAt = new Date(store.clock.now().getTime() - agoMs);
  await store.raw('workers').updateOne({ _id: id }, { $set: { seenAt } });
}

async function makeWait(store: TestStore, ids: readonly string[], delayMs: number, agoMs: number) {
  const now = store.clock.now();
  const attempt = {
    number: 1,
    generation: 1,
    startedAt: now,
    endedAt: now,
    outcome: 'retry' as const,
    delayMs,
    workerId: 'w',
  };
  await store.jobs.change(
    'wait',
    ids.map((id) => ({ id, generation: 1, attempt })),
  );
  const stateAt = new Date(now.getTime() - agoMs);
  await store.raw('jobs').updateMany({ _id: { $in: [...ids] } }, { $set: { stateAt } });
}

test('stale jobs without a message are lost once two rounds that are far enough apart find them; they are pending in a new batch', async (t) => {
  const store = await testStore(t);
  const { round, events } = reconcilerOf(store);
  const run = await staleRun(store, 5);
  await finishJobs(store, run.id, run.jobIds.slice(0, 2));
  assert.equal(await round(0), 0);
  assert.equal(await round(11_000), 0);
  assert.equal(await round(7_000), 3);
  assert.deepEqual(
    events.filter(({ type }) => type === 'reconciled'),
    [{ type: 'reconciled', count: 3 }],
  );
  const lost = await store.jobs.find(run.jobIds[2] ?? '');
  assert.match(lost?.batch ?? '', /^reconcile-/);
  const batch = await store.batches.find(lost?.batch ?? '');
  assert.deepEqual(
    [batch?.state, batch?.owner, batch?.ids, batch?.page],
    ['open', '', run.jobIds.slice(2), undefined],
  );
  assert.ok((batch?.leaseUntil ?? 0) <= store.clock.now(), 'a relay may take it at once');
  // The new batch is not stale, and the old one has no pending job of its own any more.
  for (let time = 0; time < 4; time += 1) assert.equal(await round(12_000), 0);
  assert.ok((await store.batchesOf(run.id)).every(({ state }) => state === 'ended'));
});

test('lost urgent jobs get a batch of their own, which is urgent', async (t) => {
  const store = await testStore(t);
  const { round } = reconcilerOf(store);
  const run = await staleRun(store, 5, 'other');
  const urgent = run.jobIds.slice(3);
  await store.raw('jobs').updateMany({ _id: { $in: urgent } }, { $set: { isUrgent: true } });
  assert.equal(await round(0), 0);
  assert.equal(await round(20_000), 5);
  const jobs = await store.jobs.findAll(run.jobIds);
  const batchOf = async (id: string | undefined) =>
    await store.batches.find(jobs.get(id ?? '')?.batch ?? '');
  const [others, first] = [await batchOf(run.jobIds[0]), await batchOf(urgent[0])];
  assert.deepEqual([others?.isUrgent, others?.ids], [undefined, run.jobIds.slice(0, 3)]);
  assert.deepEqual([first?.isUrgent, first?.ids], [true, urgent]);
});

test('lost jobs that were enqueued one by one are published again together', async (t) => {
  const store = await testStore(t);
  const { round } = reconcilerOf(store);
  const { runId, jobIds } = await storeSingles(store, 1_200);
  await age(store, runId, HOUR_MS);
  const stateAt = new Date(store.clock.now().getTime() - HOUR_MS);
  await store.raw('jobs').updateMany({}, { $set: { stateAt } });
  assert.equal(await round(0), 0);
  assert.equal(await round(20_000), 1_200);
  assert.deepEqual(await statesOf(store, jobIds), { pending: 1_200 });
  const jobs = await store.jobs.findAll(jobIds);
  assert.equal(new Set([...jobs.values()].map(({ batch }) => batch)).size, 2);
});

test('jobs that are not stale are not lost, and the broker is not asked', async (t) => {
  const store = await testStore(t);
  const { round, asked } = reconcilerOf(store);
  await storeRun(store, [{ created: 3 }]);
  for (let time = 0; time < 3; time += 1) assert.equal(await round(20_000), 0);
  assert.deepEqual(asked, []);
});

test('what a worker that is alive has in hand is never lost, however long its attempts take', async (t) => {
  const store = await testStore(t);
  const { round } = reconcilerOf(store);
  const run = await staleRun(store, 4, 'other');
  await store.jobs.renewRunning(run.jobIds.slice(0, 1));
  await age(store, run.id, HOUR_MS);
  await storeWorker(store, 'slow', run.jobIds.slice(0, 3));
  assert.equal(await round(0), 0);
  await storeWorker(store, 'slow', run.jobIds.slice(0, 3));
  assert.equal(await round(20_000), 1);
  assert.deepEqual(await statesOf(store, run.jobIds), { running: 1, pending: 3 });
  assert.equal((await store.jobs.find(run.jobIds[1] ?? ''))?.batch, `${run.id}:`);
});

test('a worker without a heartbeat for twenty seconds has nothing in hand', async (t) => {
  const store = await testStore(t);
  const { round } = reconcilerOf(store);
  const run = await staleRun(store, 2);
  await storeWorker(store, 'dead', run.jobIds, 21_000);
  assert.equal(await round(0), 0);
  assert.equal(await round(20_000), 2);
});

test('a message on its way from the queue to a worker is not lost', async (t) => {
  const store = await testStore(t);
  const { round } = reconcilerOf(store);
  const run = await staleRun(store, 2);
  assert.equal(await round(0), 0);
  await storeWorker(store, 'busy', run.jobIds);
  assert.equal(await round(13_000), 0);
  // A worker that gives it back makes it a candidate again, from the beginning.
  await store.workers.remove('busy');
  assert.equal(await round(13_000), 0);
  assert.equal(await round(13_000), 2);
});

test('a backlog that is consumed more slowly than it becomes stale is not published again', async (t) => {
  const store = await testStore(t);
  const { round, depths } = reconcilerOf(store);
  const run = await staleRun(store, 20);
  // At each look two messages have left the queue that the heartbeat does not name yet: it is some seconds old.
  for (let done = 0; done < 18; done += 2) {
    const inHand = run.jobIds.slice(done, done + 2);
    await storeWorker(store, 'slow', inHand);
    depths['trivial'] = 20 - done - 2 - 2;
    assert.equal(await round(13_000), 0, `after ${done} jobs`);
    await finishJobs(store, run.id, inHand);
  }
});

test('messages that a worker took and gave back between two looks are not lost', async (t) => {
  const store = await testStore(t);
  const { round, depths } = reconcilerOf(store, { trivial: 0 });
  await staleRun(store, 3);
  assert.equal(await round(0), 0);
  depths['trivial'] = 3;
  assert.equal(await round(13_000), 0);
});

test('while a worker is late with its heartbeat nothing is lost', async (t) => {
  const store = await testStore(t);
  const { round } = reconcilerOf(store);
  await staleRun(store, 2);
  assert.equal(await round(0), 0);
  await storeWorker(store, 'late', [], 15_000);
  assert.equal(await round(13_000), 0);
  await storeWorker(store, 'late', []);
  assert.equal(await round(13_000), 2);
});

test('beside a consumer without a heartbeat a job is lost only after its queue was empty for two deadlines and a margin', async (t) => {
  const store = await testStore(t);
  const { round, depths, consumers } = reconcilerOf(store, { trivial: 3 });
  consumers.count = 1;
  const run = await staleRun(store, 5);
  // Two messages are in hand, three are ready; a worker of another kind does not say what this consumer has.
  await store.workers.beat('other', workerStatus('other'), []);
  for (let time = 0; time < 20; time += 1) assert.equal(await round(13_000), 0);
  depths['trivial'] = 0;
  assert.equal(await round(13_000), 0);
  assert.equal(await round(100_000), 0);
  await finishJobs(store, run.id, run.jobIds.slice(0, 2));
  assert.equal(await round(49_000), 0);
  assert.equal(await round(12_000), 3);
  assert.equal(await round(200_000), 0);
});

test('a worker that died hides no consumer without a heartbeat', async (t) => {
  const store = await testStore(t);
  const { round, consumers } = reconcilerOf(store);
  await staleRun(store, 5);
  await storeWorker(store, 'dying', []);
  consumers.count = 2;
  assert.equal(await round(0), 0);
  await storeWorker(store, 'dying', []);
  consumers.count = 1;
  assert.equal(await round(13_000), 0);
});

test('a worker of another kind that is late with its heartbeat delays nothing', async (t) => {
  const store = await testStore(t);
  const { round } = reconcilerOf(store);
  await staleRun(store, 2);
  assert.equal(await round(0), 0);
  await storeWorker(store, 'crashed', [], 15_000, 'other');
  assert.equal(await round(13_000), 2);
});

test('with as many ready messages as candidates none is lost; with fewer all are', async (t) => {
  const store = await testStore(t);
  const { round, depths } = reconcilerOf(store, { trivial: 3 });
  await staleRun(store, 3);
  assert.equal(await round(0), 0);
  assert.equal(await round(20_000), 0);
  depths['trivial'] = 2;
  assert.equal(await round(20_000), 0);
  assert.equal(await round(20_000), 3);
});

test('without an answer of the broker nothing is lost', async (t) => {
  const store = await testStore(t);
  const { round, depths } = reconcilerOf(store, { trivial: new Error('the broker is away') });
  await staleRun(store, 3);
  assert.equal(await round(0), 0);
  assert.equal(await round(20_000), 0);
  depths['trivial'] = 0;
  assert.equal(await round(20_000), 0);
  assert.equal(await round(20_000), 3);
});

test('the backlog of one kind does not hide what another kind has lost', async (t) => {
  const store = await testStore(t);
  const { round } = reconcilerOf(store, { trivial: 1_000 });
  const busy = await staleRun(store, 5);
  const lossy = await staleRun(store, 5, 'other');
  assert.equal(await round(0), 0);
  assert.equal(await round(20_000), 5);
  assert.equal((await store.jobs.find(busy.jobIds[0] ?? ''))?.batch, `${busy.id}:`);
  assert.match((await store.jobs.find(lossy.jobIds[0] ?? ''))?.batch ?? '', /^reconcile-/);
});

test('a waiting job is stale only after its wait, and its wait queues count as well', async (t) => {
  const store = await testStore(t);
  const { round, depths, asked } = reconcilerOf(store, { 'other.wait.2.10m': 1 });
  const run = await storeRun(store, [{ created: 3 }], { kind: 'other' });
  const [still = '', over = ''] = run.jobIds;
  // Half an hour is the limit: one wait began 35 minutes ago and takes ten, the other one took five seconds.
  await makeWait(store, [still], 600_000, 35 * 60_000);
  await makeWait(store, [over], 5_000, 35 * 60_000);
  assert.equal(await round(0), 0);
  assert.equal(await round(20_000), 0);
  assert.deepEqual([...new Set(asked)], ['other', 'other.wait.1.5s', 'other.wait.2.10m']);
  depths['other.wait.2.10m'] = 0;
  assert.equal(await round(20_000), 0);
  assert.equal(await round(20_000), 1);
  const [record, other] = [await store.jobs.find(over), await store.jobs.find(still)];
  assert.deepEqual(
    [record?.state, record?.attemptCount, record?.attempts?.length, other?.state],
    ['pending', 1, 1, 'waiting'],
  );
});

test('an attempt that began after the jobs were read keeps its job', async (t) => {
  const store = await testStore(t);
  const run = await staleRun(store, 2);
  const before = new Date(store.clock.now().getTime() - HOUR_MS / 2);
  await store.jobs.renewRunning(run.jobIds.slice(0, 1));
  assert.equal(await store.jobs.moveToBatch(run.jobIds, 'repair:0', before), 1);
  assert.deepEqual(await statesOf(store, run.jobIds), { running: 1, pending: 1 });
});
