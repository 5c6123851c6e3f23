/** Goal: a replay makes the selected dead jobs pending, once, in batches that the relay takes. Method: dead records in the real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf, Reconciler, type ReplayOptions, replayDead, replayGroup } from '@fit/jobs';
import { countingRunStore } from '@fit/jobs/store';
import { QUICK } from '../support/fakes.ts';
import { findRun, finishJobs, killJobs, statesOf, storeRun } from '../support/storedRun.ts';
import { type TestStore, testStore } from '../support/testStore.ts';

function optionsFor(store: TestStore, change: Partial<ReplayOptions> = {}): ReplayOptions {
  return {
    stores: store,
    countingRuns: countingRunStore(store.database, store),
    filter: {},
    replayId: 'replay',
    onProgress: () => undefined,
    ...change,
  };
}

/** @returns a function that does one round, an hour after the round before. */
function roundsOf(store: TestStore): () => Promise<void> {
  let nowMs = 0;
  const reconciler = new Reconciler({
    declaration: QUICK,
    stores: store,
    depthOf: () => Promise.resolve({ readyCount: 0, consumerCount: 0 }),
    staleAfterMs: 3_600_000,
    confirmMs: 10,
    nowMs: () => nowMs,
    onEvent: () => undefined,
  });
  return async () => {
    nowMs += 3_600_000;
    await reconciler.round();
  };
}

test('only jobs that match the filter are replayed, with a new generation and no spent attempts', async (t) => {
  const store = await testStore(t);
  const run = await storeRun(store, [{ created: 3 }]);
  const [exhausted = '', fatal = '', done = ''] = run.jobIds;
  await killJobs(store, run.id, [exhausted]);
  await killJobs(store, run.id, [fatal], 'fatal');
  await finishJobs(store, run.id, [done]);
  assert.deepEqual((await store.dead.groups({})).map(({ cause }) => cause).sort(), [
    'exhausted',
    'fatal',
  ]);
  const filter = { cause: 'exhausted' as const };
  assert.equal(await store.dead.count(filter), 1);
  assert.equal(await replayDead(optionsFor(store, { filter })), 1);
  const replayed = await store.jobs.find(exhausted);
  assert.deepEqual(
    [
      replayed?.state,
      replayed?.generation,
      replayed?.attemptCount,
      replayed?.death,
      replayed?.batch,
      replayed?.replays?.map(({ operationId, generation }) => [operationId, generation]),
    ],
    ['pending', 2, 0, undefined, 'replay:000000', [['replay', 2]]],
  );
  assert.deepEqual(await statesOf(store, run.jobIds), { pending: 1, dead: 1, done: 1 });
  const batch = await store.batches.find('replay:000000');
  assert.deepEqual(
    [batch?.state, batch?.owner, batch?.ids, batch?.isUncounted],
    ['open', '', [exhausted], undefined],
  );
  assert.ok((batch?.leaseUntil ?? 0) <= store.clock.now(), 'a relay may take it at once');
});

test('urgent jobs get batches of their own, which are made first and stay urgent', async (t) => {
  const store = await testStore(t);
  const run = await storeRun(store, [{ created: 5 }]);
  await killJobs(store, run.id, run.jobIds);
  const urgent = run.jobIds.slice(3);
  await store.raw('jobs').updateMany({ _id: { $in: urgent } }, { $set: { isUrgent: true } });
  await replayDead(optionsFor(store));
  const found = await store.batchesOf('replay');
  assert.deepEqual(
    found.map(({ isUrgent, ids }) => [isUrgent, ids]),
    [
      [true, urgent],
      [undefined, run.jobIds.slice(0, 3)],
    ],
  );
});

test('the run of a replayed job is active again until the job ends, and counts only its new end', async (t) => {
  const store = await testStore(t);
  const round = roundsOf(store);
  const run = await storeRun(store, [{ created: 4 }]);
  await finishJobs(store, run.id, run.jobIds.slice(2));
  await killJobs(store, run.id, run.jobIds.slice(0, 2));
  await round();
  assert.equal((await findRun(store, run.id)).isActive, false);
  await replayDead(optionsFor(store));
  const reopened = await findRun(store, run.id);
  assert.deepEqual([reopened.isActive, reopened.finishedAt], [true, undefined]);
  assert.deepEqual(reopened.ends, { done: 2, dead: 0, cancelled: 0, causes: { exhausted: 0 } });
  await round();
  assert.equal((await findRun(store, run.id)).isActive, true);
  await finishJobs(store, run.id, run.jobIds.slice(0, 2));
  await round();
  const finished = await findRun(store, run.id);
  assert.deepEqual([finished.isActive, finished.ends.done], [false, 4]);
});

test('a replay that is killed before it has counted: the run is exact once the jobs have ended', async (t) => {
  const store = await testStore(t);
  const round = roundsOf(store);
  const run = await storeRun(store, [{ created: 3 }]);
  await killJobs(store, run.id, run.jobIds);
  await round();
  const killed = new Error('killed');
  const reopen = t.mock.method(store.runs, 'reopen', () => Promise.reject(killed));
  await assert.rejects(replayDead(optionsFor(store)), killed);
  reopen.mock.restore();
  assert.deepEqual(await statesOf(store, run.jobIds), { pending: 3 });
  // The relay takes the batch after its lease and publishes it; the jobs then succeed.
  const batch = await store.batches.find('replay:000000');
  assert.ok(batch?.isUncounted === true && batch.state === 'open');
  await store.batches.markPublished(batch);
  await finishJobs(store, run.id, run.jobIds);
  for (let count = 0; count < 5; count += 1) await round();
  const { isActive, ends } = await findRun(store, run.id);
  assert.deepEqual([isActive, ends], [false, { done: 3, dead: 0, cancelled: 0, causes: {} }]);
});

test('a replay that is killed does not make its run end before the other jobs of the run', async (t) => {
  const store = await testStore(t);
  const round = roundsOf(store);
  const run = await storeRun(store, [{ created: 6 }]);
  const [dead, others] = [run.jobIds.slice(0, 3), run.jobIds.slice(3)];
  await killJobs(store, run.id, dead);
  const killed = new Error('killed');
  const reopen = t.mock.method(store.runs, 'reopen', () => Promise.reject(killed));
  await assert.rejects(replayDead(optionsFor(store)), killed);
  reopen.mock.restore();
  const batch = await store.batches.find('replay:000000');
  assert.ok(batch !== undefined);
  await store.batches.markPublished(batch);
  // With the three deaths that the run still counts, its counters now add up to the number of its jobs.
  await finishJobs(store, run.id, dead);
  for (let count = 0; count < 3; count += 1) await round();
  assert.equal((await findRun(store, run.id)).isActive, true);
  await finishJobs(store, run.id, others);
  for (let count = 0; count < 3; count += 1) await round();
  const { isActive, ends } = await findRun(store, run.id);
  assert.deepEqual([isActive, ends], [false, { done: 6, dead: 0, cancelled: 0, causes: {} }]);
});

test('two concurrent replays replay each job once, and the counts of the run are repaired', async (t) => {
  const store = await testStore(t);
  const run = await storeRun(store, [{ created: 30 }]);
  await killJobs(store, run.id, run.jobIds, 'exhausted');
  const counts = await Promise.all(
    ['a', 'b'].map((replayId) => replayDead(optionsFor(store, { replayId }))),
  );
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    30,
  );
  const records = await store.jobs.findAll(run.jobIds);
  assert.ok([...records.values()].every(({ generation }) => generation === 2));
});

test('a group that is carried out again, and beside another operation, replays each job once and says which', async (t) => {
  const store = await testStore(t);
  const run = await storeRun(store, [{ created: 6 }]);
  const [done = '', ...dead] = run.jobIds;
  await finishJobs(store, run.id, [done]);
  await killJobs(store, run.id, dead);
  const { database, clock } = store;
  const parts = { stores: store, countingRuns: countingRunStore(database, store) };
  const diedUntil = await clock.read();
  const jobs = await store.dead.next({}, diedUntil, 10);
  const [first] = jobs;
  assert.ok(first !== undefined && jobs.length === 5);
  const other = { operationId: 'other', number: 0, jobs: [first], diedUntil };
  assert.deepEqual((await replayGroup(parts, other)).replayedIds, [first._id]);
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const edits = dead.map((id) => ({ id, payload: { outcome: id } }));
  const selected = [...jobs, { ...first, _id: done }, { ...first, _id: 'trivial:nobody' }];
  const group = { operationId: 'op', number: 3, jobs: selected, diedUntil, edits, traceparent };
  const expected = {
    replayedIds: dead.filter((id) => id !== first._id).sort(),
    skipped: [
      { id: done, reason: 'is done' },
      { id: first._id, reason: 'is pending' },
      { id: 'trivial:nobody', reason: 'does not exist' },
    ],
  };
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
  for (const time of ['first', 'second']) {
    const { replayedIds, skipped } = await replayGroup(parts, group);
    assert.deepEqual(
      { replayedIds, skipped: skipped.toSorted(byId) },
      { ...expected, skipped: expected.skipped.toSorted(byId) },
      `the ${time} time`,
    );
  }
  // One of the replayed jobs dies again: the operation leaves it alone.
  const [again = ''] = expected.replayedIds;
  const death = { cause: 'fatal' as const, fingerprint: 'f', reason: 'r', at: clock.now() };
  await store.jobs.change('markDead', [{ id: again, generation: 2, death }]);
  assert.deepEqual((await replayGroup(parts, group)).replayedIds, expected.replayedIds);
  const record = await store.jobs.find(again);
  assert.deepEqual(
    [record?.state, record?.generation, record?.payload, record?.originalPayload],
    ['dead', 2, { outcome: again }, { outcome: 'done' }],
  );
  assert.deepEqual(record?.tracelinks, [traceparent]);
  assert.deepEqual(await store.dead.skippedAmong([again], diedUntil), [
    { id: again, reason: `died after ${diedUntil.toISOString()}` },
  ]);
});

test('a job of another key does not match the filter', async (t) => {
  const store = await testStore(t);
  const run = await storeRun(store, [{ created: 2 }]);
  await killJobs(store, run.id, run.jobIds, 'exhausted');
  const key = keyOf(run.jobIds[0] ?? '');
  assert.equal(await store.dead.count({ keyPattern: key }), 1);
  assert.equal(await store.dead.count({ keyPattern: `${key}|nobody` }), 1);
  assert.equal(await store.dead.count({ keyPattern: `${run.id}.*` }), 2);
  // The whole key must match.
  assert.equal(await store.dead.count({ keyPattern: key.slice(0, -1) }), 0);
  assert.equal(await store.dead.count({ keyPattern: key.slice(1) }), 0);
  // `$` would match before a final line break in the database.
  const jobs = store.raw('jobs');
  const { _id, ...fields } = (await jobs.findOne({ _id: run.jobIds[0] ?? '' }))!;
  await jobs.insertOne({ _id: `${_id}\n`, ...fields });
  assert.equal(await store.dead.count({ keyPattern: key }), 1);
});

test('a job that dies again during the replay is not replayed a second time', async (t) => {
  const store = await testStore(t);
  const run = await storeRun(store, [{ created: 3 }]);
  await killJobs(store, run.id, run.jobIds);
  // At once after its release the batch is published, and every job dies again.
  t.mock.method(store.batches, 'release', async () => {
    const death = { cause: 'fatal' as const, fingerprint: '', reason: '', at: new Date() };
    await store.jobs.change(
      'markDead',
      run.jobIds.map((id) => ({ id, generation: 2, death })),
    );
  });
  const steps: number[] = [];
  const count = await replayDead(optionsFor(store, { onProgress: (total) => steps.push(total) }));
  assert.deepEqual(steps, [3]);
  assert.equal(count, 3);
  assert.deepEqual(await statesOf(store, run.jobIds), { dead: 3 });
});
