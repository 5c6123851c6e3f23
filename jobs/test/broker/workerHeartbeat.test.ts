/** Goal: the database knows what a worker has in hand, and how long attempts run. Method: attempts that wait for a signal, real servers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
