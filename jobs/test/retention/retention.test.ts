/** Goal: what is older than the policy allows is deleted, and no job that has not ended. Method: records in the real database, aged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JobEvent, Retention, type RetentionOptions } from '@fit/jobs';
import {
  age,
  findRun,
  finishJobs,
  killJobs,
  statesOf,
  storeRun,
  storeSingles,
} from '../support/storedRun.ts';
import { type TestStore, testStore } from '../support/testStore.ts';

const DAY_MS = 86_400_000;
const POLICY = { jobDays: 30, effectDays: 365 };

function retentionOf(store: TestStore, change: Partial<RetentionOptions> = {}) {
  const events: JobEvent[] = [];
  const effects = store.raw('effects');
  const retention = new Retention({
    stores: store,
    policy: POLICY,
    effectIdsOf: (_, jobIds) => jobIds.map((id) => `effect of ${id}`),
    deleteEffects: async (_, ids) =>
      (await effects.deleteMany({ _id: { $in: [...ids] } })).deletedCount,
    onEvent: (event) => events.push(event),
    ...change,
  });
  return { retention, events, effects };
}

/** A run that ended this long ago, with its effects. */
async function oldRun(
  store: TestStore,
  pages: number,
  days: number,
  created = 2,
  kind = 'trivial',
) {
  const run = await storeRun(
    store,
    Array.from({ length: pages }, () => ({ created })),
    { kind },
  );
  await finishJobs(store, run.id, run.jobIds);
  await end(store, run.id);
  await age(store, run.id, days * DAY_MS);
  await store.raw('effects').insertMany(run.jobIds.map((id) => ({ _id: `effect of ${id}` })));
  return run;
}

async function end(store: TestStore, runId: string): Promise<void> {
  const batches = await store.batchesOf(runId);
  await store.batches.markEnded(batches.map(({ _id }) => _id));
  await store.runs.finish(await findRun(store, runId));
}

async function states(store: TestStore, runId: string): Promise<string[]> {
  return (await store.batchesOf(runId)).map(({ state }) => state);
}

test('jobs of old runs are deleted first, and their effects, batches and runs later', async (t) => {
  const store = await testStore(t);
  const { retention, events, effects } = retentionOf(store);
  const young = await oldRun(store, 1, 29);
  const old = await oldRun(store, 2, 31);
  const oldest = await oldRun(store, 2, 366);
  assert.deepEqual(await retention.round(), {
    jobs: 8,
    effects: 4,
    batches: 2,
    runs: 1,
    hasMore: false,
  });
  assert.deepEqual(await statesOf(store, [...young.jobIds, ...old.jobIds, ...oldest.jobIds]), {
    done: 2,
  });
  assert.deepEqual(await states(store, young.id), ['ended']);
  assert.deepEqual(await states(store, old.id), ['cleared', 'cleared']);
  assert.deepEqual(await states(store, oldest.id), []);
  assert.equal(await effects.countDocuments(), 6);
  assert.equal(await store.runs.find(oldest.id), undefined);
  assert.ok(await store.runs.find(old.id));
  assert.deepEqual(events, [{ type: 'expired', jobs: 8, effects: 4, batches: 2, runs: 1 }]);
  assert.deepEqual(await retention.round(), {
    jobs: 0,
    effects: 0,
    batches: 0,
    runs: 0,
    hasMore: false,
  });
  assert.equal(events.length, 1, 'a round that deletes nothing has no event');
});

test('a job that has not ended survives with its batch, its run and its effect, whatever its age', async (t) => {
  const store = await testStore(t);
  const { retention, effects } = retentionOf(store);
  const active = await storeRun(store, [{ created: 3 }]);
  await finishJobs(store, active.id, active.jobIds.slice(1));
  await store.batches.markEnded((await store.batchesOf(active.id)).map(({ _id }) => _id));
  await age(store, active.id, 400 * DAY_MS);
  // A run that counts as finished although a job of it is pending.
  const wrong = await oldRun(store, 1, 400, 3);
  await store.raw('jobs').updateOne({ _id: wrong.jobIds[0] ?? '' }, { $set: { state: 'pending' } });
  for (let round = 0; round < 3; round += 1) await retention.round();
  assert.deepEqual(await statesOf(store, active.jobIds), { pending: 1, done: 2 });
  assert.deepEqual(await statesOf(store, wrong.jobIds), { pending: 1 });
  assert.deepEqual(
    [await states(store, active.id), await states(store, wrong.id)],
    [['ended'], ['ended']],
  );
  assert.equal(await effects.countDocuments(), 3);
  assert.ok(await store.runs.find(wrong.id));
});

test('runs that stay do not keep the retention from those behind them', async (t) => {
  const store = await testStore(t);
  const { retention } = retentionOf(store, { jobLimit: 2 });
  const kept = await storeRun(
    store,
    Array.from({ length: 4 }, () => ({ created: 1 })),
  );
  await finishJobs(store, kept.id, kept.jobIds);
  await store.batches.markEnded((await store.batchesOf(kept.id)).map(({ _id }) => _id));
  await age(store, kept.id, 400 * DAY_MS);
  const old = await oldRun(store, 3, 400);
  const rounds = [];
  do rounds.push(await retention.round());
  while (rounds.at(-1)?.hasMore === true && rounds.length < 20);
  assert.equal(
    rounds.reduce((sum, { jobs }) => sum + jobs, 0),
    6,
  );
  assert.equal(await store.runs.find(old.id), undefined);
  assert.equal((await statesOf(store, kept.jobIds))['done'], 4);
});

test('a kind may have a policy of its own, and the others keep the common one', async (t) => {
  const store = await testStore(t);
  const short = { jobDays: 1, effectDays: 2 };
  const { retention, effects } = retentionOf(store, {
    policyOf: { short, quick: short, long: { jobDays: 1_000, effectDays: 1_000 } },
  });
  const runs = {
    common: await oldRun(store, 1, 3),
    short: await oldRun(store, 1, 3, 2, 'short'),
    quick: await oldRun(store, 1, 1.5, 2, 'quick'),
    long: await oldRun(store, 1, 400, 2, 'long'),
    // Nobody declares this kind any more.
    unknown: await oldRun(store, 1, 400, 2, 'unknown'),
  };
  for (let round = 0; round < 2; round += 1) await retention.round();
  const found: Record<string, unknown> = {};
  for (const [name, { id, jobIds }] of Object.entries(runs))
    found[name] = [
      (await statesOf(store, jobIds))['done'],
      await states(store, id),
      await effects.countDocuments({ _id: { $in: jobIds.map((job) => `effect of ${job}`) } }),
    ];
  assert.deepEqual(found, {
    common: [2, ['ended'], 2],
    short: [undefined, [], 0],
    quick: [undefined, ['cleared'], 2],
    long: [2, ['ended'], 2],
    unknown: [undefined, [], 0],
  });
});

test('batches of one job each share the statements that delete them', async (t) => {
  const store = await testStore(t);
  const { retention, effects } = retentionOf(store);
  const { jobIds: ended, runId } = await storeSingles(store, 1_500);
  const { jobIds: running, runId: unfinishedId } = await storeSingles(store, 1);
  await finishJobs(store, runId, ended, false);
  await store.jobs.renewRunning(running);
  for (const id of [runId, unfinishedId]) {
    await store.batches.markEnded((await store.batchesOf(id)).map(({ _id }) => _id));
    await age(store, id, 400 * DAY_MS);
  }
  await effects.insertMany(ended.map((id) => ({ _id: `effect of ${id}` })));
  const deletions = t.mock.method(store.jobs, 'deleteEnded');
  const deleted = { jobs: 0, effects: 0 };
  for (let hasMore = true; hasMore; ) {
    const round = await retention.round();
    deleted.jobs += round.jobs;
    deleted.effects += round.effects;
    ({ hasMore } = round);
  }
  assert.deepEqual(deleted, { jobs: 1_500, effects: 1_500 });
  assert.ok(deletions.mock.callCount() <= 3, `${deletions.mock.callCount()} statements`);
  assert.deepEqual(await statesOf(store, [...ended, ...running]), { running: 1 });
  assert.deepEqual(
    [await states(store, runId), await states(store, unfinishedId)],
    [[], ['ended']],
  );
});

test('a replayed run keeps its jobs as long as after any other end', async (t) => {
  const store = await testStore(t);
  const { retention } = retentionOf(store);
  const run = await oldRun(store, 1, 400);
  await store.raw('runs').updateOne({ _id: run.id }, { $set: { finishedAt: store.clock.now() } });
  await retention.round();
  assert.deepEqual(await statesOf(store, run.jobIds), { done: 2 });
});

test('jobs that a run skipped are deleted with the run that created them', async (t) => {
  const store = await testStore(t);
  const { retention, effects } = retentionOf(store);
  const first = await oldRun(store, 1, 10);
  const later = await storeRun(store, [{ created: 1, skippedIds: first.jobIds }]);
  await finishJobs(store, later.id, later.jobIds);
  await store.runs.setSkippedEnds(later.id, { done: 2, dead: 0, cancelled: 0, causes: {} });
  await end(store, later.id);
  await age(store, later.id, 400 * DAY_MS);
  await retention.round();
  await retention.round();
  assert.deepEqual(await statesOf(store, [...first.jobIds, ...later.jobIds]), { done: 2 });
  assert.equal(await effects.countDocuments(), 2);
  assert.equal(await store.runs.find(later.id), undefined);
});

test('batches of operations are deleted once they have ended, and never the jobs in them', async (t) => {
  const store = await testStore(t);
  const { retention } = retentionOf(store);
  const run = await storeRun(store, [{ created: 1 }]);
  await killJobs(store, run.id, run.jobIds);
  const operation = {
    runId: 'replay',
    kind: 'trivial',
    ids: run.jobIds,
    createdAt: new Date(),
    owner: '',
  };
  for (const _id of ['replay:000000', 'replay:000001']) {
    const batch = await store.batches.insert({ ...operation, _id }, new Date(0));
    if (batch !== undefined) await store.batches.markPublished(batch);
  }
  await store.batches.markEnded(['replay:000000']);
  await age(store, 'replay', 400 * DAY_MS);
  await retention.round();
  assert.deepEqual(
    (await store.batchesOf('replay')).map(({ _id }) => _id),
    ['replay:000001'],
  );
  assert.deepEqual(await statesOf(store, run.jobIds), { dead: 1 });
});

test('a retention that is killed after any of its steps is continued by the next one', async (t) => {
  const store = await testStore(t);
  const run = await oldRun(store, 2, 400);
  const killed = new Error('killed');
  const refuse = () => Promise.reject(killed);
  for (const kill of [
    () => t.mock.method(store.batches, 'markCleared', refuse),
    () => t.mock.method(store.batches, 'delete', refuse),
    () => t.mock.method(store.runs, 'delete', refuse),
  ]) {
    const { mock } = kill();
    await assert.rejects(retentionOf(store).retention.round(), killed);
    mock.restore();
  }
  const { retention, effects } = retentionOf(store);
  await retention.round();
  assert.deepEqual(
    [
      await statesOf(store, run.jobIds),
      await states(store, run.id),
      await effects.countDocuments(),
    ],
    [{}, [], 0],
  );
  assert.equal(await store.runs.find(run.id), undefined);
});

test('a policy that would delete effects before their jobs is refused', async (t) => {
  const store = await testStore(t);
  assert.throws(
    () => retentionOf(store, { policy: { jobDays: 30, effectDays: 29 } }),
    /at least as long as jobs/,
  );
});
