/** Goal: a replay makes the selected dead jobs pending, once, at its rate. Method: dead records in the real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplayStore, replayDead } from '@fit/jobs';
import type { DeathCause } from '@fit/topology';
import { pendingJob } from '../support/fakes.ts';
import { type TestStore, testStore } from '../support/testStore.ts';

async function deadJob(store: TestStore, cause: DeathCause) {
  const job = pendingJob();
  const died = new Date();
  await store.jobs.accept('run', [job]);
  const death = { cause, fingerprint: 'f', reason: 'r', at: died };
  await store.jobs.change('markDead', [{ id: job._id, generation: 1, death }], died);
  return job;
}

const base = { ratePerSecond: undefined, onProgress: () => undefined };

test('only jobs that match the filter are replayed, with a new generation and no spent attempts', async (t) => {
  const store = await testStore(t);
  const replays = new ReplayStore(store.database);
  const [exhausted, fatal] = [await deadJob(store, 'exhausted'), await deadJob(store, 'fatal')];
  assert.deepEqual((await replays.groups({})).map(({ cause }) => cause).sort(), [
    'exhausted',
    'fatal',
  ]);
  const filter = { cause: 'exhausted' as const };
  assert.equal(await replays.count(filter), 1);
  assert.equal(await replayDead({ ...base, store: replays, filter, replayId: 'r1' }), 1);
  const replayed = await store.jobs.find(exhausted._id);
  assert.deepEqual(
    [replayed?.state, replayed?.generation, replayed?.attemptCount, replayed?.death],
    ['pending', 2, 0, undefined],
  );
  assert.equal((await store.jobs.find(fatal._id))?.state, 'dead');
  assert.deepEqual(await replays.progress('r1'), { pending: 1 });
});

test('two concurrent replays replay each job once', async (t) => {
  const store = await testStore(t);
  const replays = new ReplayStore(store.database);
  const jobs = await Promise.all(Array.from({ length: 30 }, () => deadJob(store, 'crashed')));
  const counts = await Promise.all(
    ['a', 'b'].map((replayId) => replayDead({ ...base, store: replays, filter: {}, replayId })),
  );
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    30,
  );
  const generations = await Promise.all(jobs.map(({ _id }) => store.jobs.find(_id)));
  assert.ok(generations.every((job) => job?.generation === 2));
});

test('a replay keeps its rate: 30 jobs at 20 a second take a second and a half', async (t) => {
  const store = await testStore(t);
  const replays = new ReplayStore(store.database);
  await Promise.all(Array.from({ length: 30 }, () => deadJob(store, 'crashed')));
  const startedAt = performance.now();
  const steps: number[] = [];
  await replayDead({
    store: replays,
    filter: {},
    replayId: 'slow',
    ratePerSecond: 20,
    onProgress: (count) => steps.push(count),
  });
  assert.deepEqual(steps, [20, 30]);
  assert.ok(performance.now() - startedAt >= 1_400);
});

test('a job of another user or day does not match the filter', async (t) => {
  const store = await testStore(t);
  const replays = new ReplayStore(store.database);
  const [mine] = [await deadJob(store, 'expired'), await deadJob(store, 'expired')];
  assert.equal(await replays.count({ userId: mine.key.userId }), 1);
  assert.equal(await replays.count({ date: '1999-01-01' }), 0);
});
