/** Goal: the database knows what a worker has in hand, and how long attempts run. Method: attempts that wait for a signal, real servers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Handler } from '@fit/jobs';
import { eventually } from '@fit/stack/testing';
import { pendingJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';

test('the heartbeat names running and prefetched messages, renews long attempts, and ends with the worker', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const { workers, clock, jobs: store } = pipeline.store;
  const released = Promise.withResolvers<undefined>();
  const handler: Handler = {
    payload: { accepts: (value): value is unknown => value !== undefined, fault: () => '' },
    run: async () => {
      await released.promise;
      return { type: 'done' };
    },
    store: () => Promise.resolve(),
  };
  const worker = await pipeline.worker({
    handlers: new Map([['trivial', handler]]),
    prefetchCount: 8,
    concurrency: 2,
    deadlineMs: 60_000,
    heartbeatMs: 100,
  });
  const inHand = async () => {
    const alive = await workers.alive(await clock.read());
    return alive.find(({ _id }) => _id === worker.id)?.jobIds;
  };
  assert.deepEqual(await inHand(), []);
  const jobs = Array.from({ length: 8 }, () => pendingJob());
  const ids = jobs.map(({ _id }) => _id).sort();
  await pipeline.submit(jobs);
  await eventually(async () => (await inHand())?.length === 8, {
    describe: async () => JSON.stringify(await inHand()),
  });
  assert.deepEqual((await inHand())?.toSorted(), ids);
  const running = await eventually(
    async () => {
      const records = [...(await store.findAll(ids)).values()];
      const found = records.filter(({ state }) => state === 'running');
      return found.length === 2 && found;
    },
    { describe: async () => JSON.stringify([...(await store.findAll(ids)).values()]) },
  );
  const [first] = running;
  assert.ok(first);
  await eventually(
    async () => {
      const stateAt = (await store.find(first._id))?.stateAt;
      return stateAt !== undefined && stateAt.getTime() > first.stateAt.getTime();
    },
    { describe: async () => JSON.stringify(await store.find(first._id)) },
  );
  released.resolve(undefined);
  for (const job of jobs) await pipeline.expectState(job, 'done');
  await worker.close(5_000);
  assert.equal(await inHand(), undefined);
});

test('a drained worker ends what runs, gives the rest back and takes no more until it is resumed', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const { workers, clock } = pipeline.store;
  const released = Promise.withResolvers<undefined>();
  const begun: string[] = [];
  const handler: Handler = {
    payload: { accepts: (value): value is unknown => value !== undefined, fault: () => '' },
    run: async ({ id }) => {
      begun.push(id);
      await released.promise;
      return { type: 'done' };
    },
    store: () => Promise.resolve(),
  };
  const worker = await pipeline.worker({
    handlers: new Map([['trivial', handler]]),
    prefetchCount: 8,
    concurrency: 2,
    deadlineMs: 60_000,
    heartbeatMs: 100,
  });
  const jobs = Array.from({ length: 4 }, () => pendingJob());
  await pipeline.submit(jobs);
  const listed = async () => (await workers.list('', 10)).find(({ _id }) => _id === worker.id);
  const expectListed = async (expected: object) =>
    await eventually(async () => isDeepStrictEqual(pick(await listed(), expected), expected), {
      describe: async () => JSON.stringify(await listed()),
    });
  await expectListed({ runningCount: 2, inHandCount: 4, isPaused: false });
  assert.equal(
    await workers.drain('nobody', { by: 'ann', reason: 'slow' }, clock.now()),
    undefined,
  );
  const drained = await workers.drain(worker.id, { by: 'ann', reason: '$slow' }, clock.now());
  const again = await workers.drain(worker.id, { by: 'ben', reason: 'other' }, clock.now());
  assert.equal(drained?.drain?.reason, '$slow');
  assert.deepEqual(again?.drain, drained.drain, 'the first drain stays');
  await expectListed({ runningCount: 2, inHandCount: 2, isPaused: true });
  assert.equal(await pipeline.readyCount('trivial'), 2);
  released.resolve(undefined);
  await expectListed({ runningCount: 0, inHandCount: 0, isPaused: true });
  assert.equal(begun.length, 2);
  assert.equal((await workers.resume(worker.id, clock.now()))?.drain, undefined);
  for (const job of jobs) await pipeline.expectState(job, 'done');
});

test('a worker that opens for a paused queue begins no attempt before it is resumed', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const job = pendingJob();
  const worker = await pipeline.worker({ isPaused: true, heartbeatMs: 100 });
  await pipeline.submit([job]);
  worker.resume('drain');
  assert.equal(worker.isPaused, true, 'what another reason wants stays in force');
  await eventually(async () => (await pipeline.depthOf('trivial')).readyCount === 1, {
    describe: async () => JSON.stringify(await pipeline.depthOf('trivial')),
  });
  worker.resume('queue');
  await pipeline.expectState(job, 'done');
});

/** @returns the fields of the value that `like` has. */
function pick(value: object | undefined, like: object): object {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([key]) => key in like));
}
