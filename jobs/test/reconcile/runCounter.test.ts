/**
 * Goal: every run ends once all of its jobs have ended, with exact counts, whatever process died between a write and its
 * count. Method: records in the real database as a killed process leaves them; a clock that the test moves.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JobEvent, Reconciler } from '@fit/jobs';
import { QUICK } from '../support/fakes.ts';
import {
  findRun,
  finishJobs,
  killJobs,
  type StoredRun,
  storeRun,
  storeSingles,
} from '../support/storedRun.ts';
import { type TestStore, testStore } from '../support/testStore.ts';

/** A reconciler whose clock stands still until the test moves it. */
function reconcilerOf(store: TestStore) {
  const clock = { nowMs: 1_000_000 };
  const events: JobEvent[] = [];
  const reconciler = new Reconciler({
    declaration: QUICK,
    stores: store,
    depthOf: () => Promise.resolve({ readyCount: 0, consumerCount: 0 }),
    staleAfterMs: 3_600_000,
    confirmMs: 10,
    nowMs: () => clock.nowMs,
    onEvent: (event) => events.push(event),
  });
  /** Does rounds until nothing is left to do at once, after a time in which nothing happened. */
  const settle = async (afterMs = 3_600_000) => {
    clock.nowMs += afterMs;
    for (let round = 0; round < 100; round += 1) if (!(await reconciler.round()).hasMore) return;
    assert.fail('there is always more to do');
  };
  return { settle, events, clock };
}

async function batchStates(store: TestStore, { id }: StoredRun): Promise<string[]> {
  return (await store.batchesOf(id)).map(({ state }) => state);
}

test('a run whose counters add up is finished in the first round; its total is what was expanded', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const run = await storeRun(store, [{ created: 3, refused: 1 }, { created: 2 }]);
  await store.runs.setTotal(run.id, 99);
  await finishJobs(store, run.id, run.jobIds.slice(0, 4));
  await settle();
  assert.equal((await findRun(store, run.id)).isActive, true);
  await killJobs(store, run.id, run.jobIds.slice(4));
  await settle(0);
  const { isActive, total, finishedAt, ends } = await findRun(store, run.id);
  assert.deepEqual([isActive, total, typeof finishedAt], [false, 6, 'object']);
  assert.deepEqual(ends, { done: 4, dead: 1, cancelled: 0, causes: { exhausted: 1 } });
  assert.deepEqual(await batchStates(store, run), ['ended', 'ended']);
});

test('a batch ends once none of its jobs is pending, whatever became of older ones', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const run = await storeRun(store, [{ created: 1 }, { created: 1 }, { created: 1 }]);
  await finishJobs(store, run.id, run.pages[0] ?? []);
  await finishJobs(store, run.id, run.pages[2] ?? []);
  await settle();
  assert.deepEqual(await batchStates(store, run), ['ended', 'published', 'ended']);
  await finishJobs(store, run.id, run.pages[1] ?? []);
  await settle();
  assert.deepEqual(await batchStates(store, run), ['ended', 'ended', 'ended']);
});

test('many batches with pending jobs cost a round only a few of them', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const run = await storeRun(
    store,
    // Two of them have more jobs than one group may have.
    Array.from({ length: 6 }, () => ({ created: 501 })),
  );
  await finishJobs(store, run.id, run.pages[5] ?? []);
  await settle();
  // The last batch is behind too many that have not ended.
  assert.equal((await batchStates(store, run))[5], 'published');
  for (const ids of run.pages.slice(0, 5)) await finishJobs(store, run.id, ids);
  await settle();
  assert.ok((await batchStates(store, run)).every((state) => state === 'ended'));
});

test('batches of one job each end as fast as one batch of as many jobs', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const { jobIds, runId } = await storeSingles(store, 2_500);
  const pending = [0, 1_200].map((index) => jobIds[index] ?? '');
  await finishJobs(
    store,
    runId,
    jobIds.filter((id) => !pending.includes(id)),
    false,
  );
  const asked = t.mock.method(store.jobs, 'pendingOf');
  await settle();
  assert.equal(asked.mock.callCount(), 3, 'a thousand batches for each statement');
  const open = async () =>
    (await store.batchesOf(runId)).filter(({ state }) => state === 'published');
  assert.deepEqual(
    (await open()).flatMap(({ ids }) => ids),
    pending,
  );
  await finishJobs(store, runId, pending, false);
  await settle();
  assert.deepEqual(await open(), []);
});

test('more batches of one job than one round reads end in rounds that follow at once', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const { jobIds, runId } = await storeSingles(store, 10_500);
  await finishJobs(store, runId, jobIds, false);
  await settle();
  assert.equal((await store.batchesOf(runId)).filter(({ state }) => state !== 'ended').length, 0);
});

test('a worker that died before it had counted its jobs: the run is counted again and ends', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const run = await storeRun(store, [{ created: 3 }, { created: 3, refused: 2 }]);
  await finishJobs(store, run.id, run.jobIds.slice(0, 3));
  await finishJobs(store, run.id, run.jobIds.slice(3, 5), false);
  await killJobs(store, run.id, run.jobIds.slice(5), 'fatal');
  await settle();
  assert.equal((await findRun(store, run.id)).isActive, true, 'the counters have just been seen');
  await settle();
  const { isActive, ends, total, refused, created } = await findRun(store, run.id);
  assert.deepEqual([isActive, total, refused, created], [false, 8, 2, 6]);
  assert.deepEqual(ends, { done: 5, dead: 1, cancelled: 0, causes: { fatal: 1 } });
});

test('a count whose write may have arrived twice does not finish the run early', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const run = await storeRun(store, [{ created: 4 }]);
  await finishJobs(store, run.id, run.jobIds.slice(0, 2));
  // The worker does not know whether its addition arrived, so it asks for a recount; the addition had arrived twice.
  await store.runs.addEnds(run.id, { done: 2, dead: 0, cancelled: 0, causes: {} });
  await store.runs.requestRecount(run.id);
  for (let round = 0; round < 3; round += 1) await settle();
  assert.equal((await findRun(store, run.id)).isActive, true);
  await finishJobs(store, run.id, run.jobIds.slice(2));
  for (let round = 0; round < 3; round += 1) await settle();
  const { isActive, ends, needsRecount } = await findRun(store, run.id);
  assert.deepEqual([isActive, ends.done, needsRecount], [false, 4, undefined]);
});

test('ends that are added to a finished run are counted again instead of twice', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const run = await storeRun(store, [{ created: 2 }]);
  await finishJobs(store, run.id, run.jobIds, false);
  await settle();
  await settle();
  assert.equal((await findRun(store, run.id)).isActive, false);
  // The worker was slow, and adds now what the recount has found already.
  await store.runs.addEnds(run.id, { done: 2, dead: 0, cancelled: 0, causes: {} });
  for (let round = 0; round < 3; round += 1) await settle();
  const { isActive, ends } = await findRun(store, run.id);
  assert.deepEqual([isActive, ends.done], [false, 2]);
});

test('a run that is counted again has no end until then', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const run = await storeRun(store, [{ created: 2 }]);
  await finishJobs(store, run.id, run.jobIds);
  await settle();
  assert.notEqual((await findRun(store, run.id)).finishedAt, undefined);
  await store.runs.requestRecount(run.id);
  const { isActive, finishedAt } = await findRun(store, run.id);
  assert.deepEqual([isActive, finishedAt], [true, undefined]);
});

test('a recount takes jobs that the retention has deleted for ended, and not for refused', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const run = await storeRun(store, [
    { created: 3, refused: 1 },
    { created: 3, refused: 1 },
  ]);
  await finishJobs(store, run.id, run.jobIds.slice(0, 5));
  await killJobs(store, run.id, run.jobIds.slice(5));
  await settle();
  assert.equal((await findRun(store, run.id)).isActive, false);
  // The retention was killed after the first page, and a replay that was killed as well asks for a recount.
  const [first] = run.pages;
  await store.jobs.deleteEnded(first ?? [], run.id);
  await store.batches.markCleared([(await store.batchesOf(run.id))[0]?._id ?? '']);
  await store.runs.requestRecount(run.id);
  for (let round = 0; round < 3; round += 1) await settle();
  const { isActive, created, refused, expanded, ends } = await findRun(store, run.id);
  assert.deepEqual([isActive, created, refused, expanded], [false, 6, 2, 8]);
  assert.deepEqual(ends, { done: 5, dead: 1, cancelled: 0, causes: { exhausted: 1 } });
});

test('a relay that died before it had recorded a page: its jobs are counted', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const run = await storeRun(store, [{ created: 2 }, { created: 3, isUnrecorded: true }]);
  await finishJobs(store, run.id, run.jobIds);
  await settle();
  await settle();
  const { isActive, recordedPages, expanded, created, ends } = await findRun(store, run.id);
  assert.deepEqual([isActive, recordedPages, expanded, created, ends.done], [false, 2, 5, 5, 5]);
});

test('a page that is not published keeps the run active, even where its counters add up', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const run = await storeRun(store, [{ created: 1 }, { created: 1, isOpen: true }]);
  await finishJobs(store, run.id, run.pages[0] ?? []);
  // A lost answer made the relay record the first page twice.
  await store.raw('runs').updateOne({ _id: run.id }, { $set: { recordedPages: 2 } });
  for (let round = 0; round < 3; round += 1) await settle();
  assert.equal((await findRun(store, run.id)).isActive, true);
});

test('a running or waiting job keeps the run from being counted again', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const run = await storeRun(store, [{ created: 2 }]);
  await store.jobs.renewRunning(run.jobIds.slice(0, 1));
  await finishJobs(store, run.id, run.jobIds.slice(1), false);
  for (let round = 0; round < 3; round += 1) await settle();
  assert.equal((await findRun(store, run.id)).ends.done, 0);
  await finishJobs(store, run.id, run.jobIds.slice(0, 1));
  for (let round = 0; round < 3; round += 1) await settle();
  const { isActive, ends } = await findRun(store, run.id);
  assert.deepEqual([isActive, ends.done], [false, 2]);
});

test('jobs of an earlier run count in the later one, by their states', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const first = await storeRun(store, [{ created: 3 }]);
  const [one = '', two = '', three = ''] = first.jobIds;
  const second = await storeRun(store, [
    { created: 0, skippedIds: [one, two] },
    { created: 1, skippedIds: [three] },
  ]);
  await finishJobs(store, second.id, second.jobIds);
  await finishJobs(store, first.id, [one]);
  await settle();
  assert.deepEqual((await findRun(store, second.id)).skippedEnds, {
    done: 1,
    dead: 0,
    cancelled: 0,
    causes: {},
  });
  assert.equal((await findRun(store, second.id)).isActive, true);
  await killJobs(store, first.id, [two]);
  await finishJobs(store, first.id, [three]);
  await settle();
  const { isActive, total, skippedEnds, ends } = await findRun(store, second.id);
  assert.deepEqual([isActive, total, ends.done], [false, 4, 1]);
  assert.deepEqual(skippedEnds, { done: 2, dead: 1, cancelled: 0, causes: { exhausted: 1 } });
  assert.equal((await findRun(store, first.id)).isActive, false);
});

test('after a restart the ends of skipped jobs are never fewer than before', async (t) => {
  const store = await testStore(t);
  const first = await storeRun(store, [{ created: 12 }]);
  const run = await storeRun(
    store,
    first.jobIds.map((id) => ({ created: 0, skippedIds: [id] })),
  );
  await finishJobs(store, first.id, first.jobIds.slice(0, 11));
  await reconcilerOf(store).settle();
  assert.equal((await findRun(store, run.id)).skippedEnds.done, 11);
  // Each reading of this clock takes a millisecond, so a round has time for a few pages only.
  let nowMs = 10_000_000;
  const restarted = new Reconciler({
    declaration: QUICK,
    stores: store,
    depthOf: () => Promise.resolve({ readyCount: 0, consumerCount: 0 }),
    staleAfterMs: 3_600_000,
    confirmMs: 10,
    budgetMs: 8,
    nowMs: () => (nowMs += 1),
    onEvent: () => undefined,
  });
  const counts: number[] = [];
  for (let round = 0; round < 8; round += 1) {
    await restarted.round();
    counts.push((await findRun(store, run.id)).skippedEnds.done);
  }
  assert.deepEqual(
    counts,
    Array.from({ length: 8 }, () => 11),
  );
  await killJobs(store, first.id, first.jobIds.slice(11));
  await reconcilerOf(store).settle();
  const { isActive, skippedEnds } = await findRun(store, run.id);
  assert.deepEqual([isActive, skippedEnds.done, skippedEnds.dead], [false, 11, 1]);
});

test('a member who is requested 25 times keeps no run from ending', async (t) => {
  const store = await testStore(t);
  const { settle } = reconcilerOf(store);
  const daily = await storeRun(store, [{ created: 5 }]);
  const skippedIds = daily.jobIds.slice(0, 1);
  const later: StoredRun[] = [];
  for (let time = 0; time < 25; time += 1)
    later.push(await storeRun(store, [{ created: 0, skippedIds }]));
  await finishJobs(store, daily.id, daily.jobIds);
  await settle();
  await settle();
  for (const { id } of [daily, ...later]) assert.equal((await findRun(store, id)).isActive, false);
});

test('a count of many pages takes several rounds, and a worker that counts meanwhile is not overwritten', async (t) => {
  const store = await testStore(t);
  const { settle, clock } = reconcilerOf(store);
  const run = await storeRun(
    store,
    Array.from({ length: 12 }, () => ({ created: 2 })),
  );
  await finishJobs(store, run.id, run.jobIds, false);
  // Each reading of this clock takes a millisecond, so a round has time for a few pages only.
  const slow = new Reconciler({
    declaration: QUICK,
    stores: store,
    depthOf: () => Promise.resolve({ readyCount: 0, consumerCount: 0 }),
    staleAfterMs: 3_600_000,
    confirmMs: 10,
    budgetMs: 5,
    nowMs: () => (clock.nowMs += 1),
    onEvent: () => undefined,
  });
  await slow.round();
  clock.nowMs += 60_000;
  assert.equal((await slow.round()).hasMore, true);
  assert.equal((await slow.round()).hasMore, true);
  await store.runs.addEnds(run.id, { done: 4, dead: 0, cancelled: 0, causes: {} });
  for (let round = 0; round < 5; round += 1) await settle();
  const { isActive, ends } = await findRun(store, run.id);
  assert.deepEqual([isActive, ends.done], [false, 24]);
});
