/** Goal: counters of a run are never overwritten by an older count, and never grow after its end. Method: the real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRun, storeRun } from '../support/storedRun.ts';
import { testStore } from '../support/testStore.ts';

const none = { done: 0, dead: 0, cancelled: 0, causes: {} };

test('a count replaces the counters only if no worker has counted since the run was read', async (t) => {
  const store = await testStore(t);
  const { id } = await storeRun(store, [{ created: 3 }]);
  const read = await findRun(store, id);
  await store.runs.addEnds(id, { ...none, done: 1 });
  const counts = {
    recordedPages: 1,
    expanded: 3,
    created: 3,
    skipped: 0,
    refused: 0,
    ends: { ...none, done: 3 },
    skippedEnds: none,
  };
  assert.equal(await store.runs.setCounts(read, counts, true), false);
  assert.equal((await findRun(store, id)).ends.done, 1);
  assert.equal(await store.runs.setCounts(await findRun(store, id), counts, false), true);
  const counted = await findRun(store, id);
  assert.deepEqual([counted.ends.done, counted.needsRecount], [3, true]);
  assert.equal(await store.runs.setCounts(counted, counts, true), true);
  assert.equal((await findRun(store, id)).needsRecount, undefined);
});

test('a run is finished only with the counters that were read, and not while a recount is requested', async (t) => {
  const store = await testStore(t);
  const { id } = await storeRun(store, [{ created: 3 }]);
  const read = await findRun(store, id);
  await store.runs.addEnds(id, { ...none, dead: 1, causes: { fatal: 1 } });
  assert.equal(await store.runs.finish(read), false);
  await store.runs.requestRecount(id);
  assert.equal(await store.runs.finish(await findRun(store, id)), false);
  const run = await findRun(store, id);
  const { recordedPages, expanded, created, skipped, refused, ends, skippedEnds } = run;
  const counts = { recordedPages, expanded, created, skipped, refused, ends, skippedEnds };
  await store.runs.setCounts(run, counts, true);
  assert.equal(await store.runs.finish(await findRun(store, id)), true);
  const finished = await findRun(store, id);
  assert.deepEqual([finished.isActive, finished.total], [false, 3]);
  assert.equal(await store.runs.finish(finished), false, 'it is not active any more');
});

test('ends that come after the end of a run make it active and request a recount', async (t) => {
  const store = await testStore(t);
  const { id } = await storeRun(store, [{ created: 1 }]);
  await store.runs.finish(await findRun(store, id));
  await store.runs.addEnds(id, none);
  assert.equal((await findRun(store, id)).isActive, false, 'nothing was added');
  await store.runs.addEnds(id, { ...none, done: 1 });
  const { isActive, needsRecount, ends } = await findRun(store, id);
  assert.deepEqual([isActive, needsRecount, ends.done], [true, true, 0]);
});

test('the newest runs come from the last days, and from all where these have too few', async (t) => {
  const store = await testStore(t);
  const days = [1, 2, 100, 200];
  const ids: string[] = [];
  for (const day of days) {
    const { id } = await storeRun(store, []);
    const createdAt = new Date(store.clock.now().getTime() - day * 86_400_000);
    await store.raw('runs').updateOne({ _id: id }, { $set: { createdAt } });
    ids.push(id);
  }
  const newest = async (limit: number) => (await store.runs.newest(limit)).map(({ _id }) => _id);
  assert.deepEqual(await newest(2), ids.slice(0, 2));
  assert.deepEqual(await newest(3), ids.slice(0, 3));
});
