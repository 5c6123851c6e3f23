/** Goal: the relay publishes a record until the broker confirms it, and no record is lost. Method: full, purged and unknown queues. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reconcileOnce } from '@fit/jobs';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { pendingJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';

const SMALL = declareTopology({
  exchange: 'jobs',
  kinds: {
    trivial: { key: 'job.trivial', queue: 'trivial', tiers: [50, 100, 150], maxLength: 3 },
  },
});

test('jobs that a full queue refuses stay pending with the reason, and are done later', async (t) => {
  const pipeline = await JobPipeline.open(t, SMALL);
  const publisher = await pipeline.publisher();
  const first = Array.from({ length: 50 }, () => pendingJob());
  await pipeline.submit(publisher, first);
  const late = pendingJob();
  await pipeline.submit(publisher, [late]);
  const deferred = await pipeline.store.jobs.find(late._id);
  assert.deepEqual(
    [deferred?.state, deferred?.deferred],
    ['pending', { reason: 'nacked', count: 1 }],
  );
  assert.ok(deferred && deferred.dueAt > deferred.createdAt);
  const results = pipeline.eventsOf('published').filter(({ result }) => result === 'nacked');
  assert.ok(results.length > 0 && results.every(({ queue }) => queue === 'trivial'));
  await pipeline.worker();
  await eventually(
    async () => {
      await pipeline.relay(publisher);
      return (await pipeline.store.jobs.countStates()).done === 51;
    },
    { describe: async () => JSON.stringify(await pipeline.store.jobs.countStates()) },
  );
  assert.equal(new Set(pipeline.effects).size, 51);
});

test('with a declared load a part of the queue is reserved for retries, and the other jobs stay pending', async (t) => {
  // 20 a second, half of them failing: 10 × 50 ms + 5 × 100 ms + 2.5 × 150 ms, so two of ten places are reserved.
  const loaded = declareTopology({
    exchange: 'jobs',
    kinds: {
      trivial: {
        key: 'job.trivial',
        queue: 'trivial',
        tiers: [50, 100, 150],
        maxLength: 10,
        load: { perSecond: 20, failureRatio: 0.5 },
      },
    },
  });
  const pipeline = await JobPipeline.open(t, loaded);
  const publisher = await pipeline.publisher();
  const jobs = Array.from({ length: 15 }, () => pendingJob());
  await pipeline.store.jobs.accept('run', jobs);
  const fails = () => Promise.reject(new Error('the broker is away'));
  assert.equal(await pipeline.relay(publisher, fails), 0, 'an unknown length counts as full');
  assert.equal(await pipeline.relay(publisher), 8);
  assert.equal(await pipeline.readyCount('trivial'), 8);
  assert.equal(await pipeline.relay(publisher), 0);
  const states = await pipeline.store.jobs.countStates();
  assert.deepEqual([states.queued, states.pending], [8, 7]);
  assert.deepEqual(
    new Set(pipeline.eventsOf('published').map(({ result }) => result)),
    new Set(['confirmed']),
  );
  await pipeline.worker();
  await eventually(
    async () => {
      await pipeline.relay(publisher);
      return (await pipeline.store.jobs.countStates()).done === 15;
    },
    { describe: async () => JSON.stringify(await pipeline.store.jobs.countStates()) },
  );
});

test('a job of a kind that this release does not know stays pending as returned', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  const job = { ...pendingJob(), kind: 'newer' };
  await pipeline.submit(publisher, [job]);
  const record = await pipeline.store.jobs.find(job._id);
  assert.deepEqual([record?.state, record?.deferred?.reason], ['pending', 'returned']);
});

test('a relay whose publisher is not ready changes no record', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  const job = pendingJob();
  await pipeline.store.jobs.accept('run', [job]);
  await publisher.close();
  assert.equal(await pipeline.relay(publisher), 0);
  assert.equal((await pipeline.store.jobs.find(job._id))?.deferred, undefined);
});

test('purged jobs are reconciled and done, and their spent attempts still count', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  const [fresh, tried] = [pendingJob(), { ...pendingJob(), attemptCount: 2 }];
  await pipeline.submit(publisher, [fresh, tried]);
  await pipeline.purge('trivial');
  const { declaration, events } = pipeline;
  const reconcile = (ready: number) =>
    reconcileOnce({
      declaration,
      store: pipeline.store.jobs,
      staleAfterMs: -1_000,
      readyCount: () => Promise.resolve(ready),
      onEvent: (event) => events.push(event),
    });
  assert.equal(await reconcile(2), 0);
  assert.equal(await reconcile(0), 2);
  assert.deepEqual(pipeline.eventsOf('reconciled'), [{ type: 'reconciled', count: 2 }]);
  await pipeline.worker();
  assert.equal(await pipeline.relay(publisher), 2);
  await pipeline.expectState(fresh, 'done');
  await pipeline.expectState(tried, 'done');
  assert.deepEqual(pipeline.runs.toSorted(), [`${fresh._id} 1`, `${tried._id} 3`].sort());
});
