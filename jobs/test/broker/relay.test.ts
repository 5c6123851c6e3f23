/** Goal: a record is handed over until the broker has it, and never lost with it. Method: full, purged, unbound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reconcileOnce } from '@fit/jobs';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { pendingJob } from '../support/fakes.ts';
import { Line } from '../support/line.ts';

const SMALL = declareTopology({
  exchange: 'jobs',
  kinds: {
    trivial: { key: 'job.trivial', queue: 'trivial', tiers: [50, 100, 150], maxLength: 3 },
  },
});

test('a full queue: the rest stays pending with the reason, and done once there is room', async (t) => {
  const line = await Line.open(t, SMALL);
  const publisher = await line.publisher();
  const first = Array.from({ length: 50 }, () => pendingJob());
  await line.submit(publisher, first);
  const late = pendingJob();
  await line.submit(publisher, [late]);
  const held = await line.store.jobs.find(late._id);
  assert.deepEqual([held?.state, held?.deferred], ['pending', { reason: 'nacked', count: 1 }]);
  assert.ok(held && held.dueAt > held.createdAt);
  const results = line.eventsOf('published').filter(({ result }) => result === 'nacked');
  assert.ok(results.length > 0 && results.every(({ queue }) => queue === 'trivial'));
  await line.worker();
  await eventually(
    async () => {
      await line.relay(publisher);
      return (await line.store.jobs.countStates()).done === 51;
    },
    { describe: async () => JSON.stringify(await line.store.jobs.countStates()) },
  );
  assert.equal(new Set(line.effects).size, 51);
});

test('a declared load: what is to bounce keeps its share of the limit, the rest stays pending untouched', async (t) => {
  // 20 a second, half of them failing: 10 × 50 ms + 5 × 100 ms + 2.5 × 150 ms, so two of ten places are kept.
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
  const line = await Line.open(t, loaded);
  const publisher = await line.publisher();
  const jobs = Array.from({ length: 15 }, () => pendingJob());
  await line.store.jobs.accept('run', jobs);
  const untold = () => Promise.reject(new Error('the broker is away'));
  assert.equal(await line.relay(publisher, untold), 0, 'a depth that is not told is no room');
  assert.equal(await line.relay(publisher), 8);
  assert.equal(await line.readyCount('trivial'), 8);
  assert.equal(await line.relay(publisher), 0);
  const states = await line.store.jobs.countStates();
  assert.deepEqual([states.queued, states.pending], [8, 7]);
  assert.deepEqual(
    new Set(line.eventsOf('published').map(({ result }) => result)),
    new Set(['confirmed']),
  );
  await line.worker();
  await eventually(
    async () => {
      await line.relay(publisher);
      return (await line.store.jobs.countStates()).done === 15;
    },
    { describe: async () => JSON.stringify(await line.store.jobs.countStates()) },
  );
});

test('a kind that this release does not know stays pending, as returned', async (t) => {
  const line = await Line.open(t);
  const publisher = await line.publisher();
  const job = { ...pendingJob(), kind: 'newer' };
  await line.submit(publisher, [job]);
  const record = await line.store.jobs.find(job._id);
  assert.deepEqual([record?.state, record?.deferred?.reason], ['pending', 'returned']);
});

test('not ready, it reads nothing and marks nothing', async (t) => {
  const line = await Line.open(t);
  const publisher = await line.publisher();
  const job = pendingJob();
  await line.store.jobs.accept('run', [job]);
  await publisher.close();
  assert.equal(await line.relay(publisher), 0);
  assert.equal((await line.store.jobs.find(job._id))?.deferred, undefined);
});

test('purged: the reconciler finds what the broker lost, and it is done without a new budget', async (t) => {
  const line = await Line.open(t);
  const publisher = await line.publisher();
  const [fresh, tried] = [pendingJob(), { ...pendingJob(), attemptCount: 2 }];
  await line.submit(publisher, [fresh, tried]);
  await line.purge('trivial');
  const { declaration, events } = line;
  const reconcile = (ready: number) =>
    reconcileOnce({
      declaration,
      store: line.store.jobs,
      staleAfterMs: -1_000,
      readyCount: () => Promise.resolve(ready),
      onEvent: (event) => events.push(event),
    });
  assert.equal(await reconcile(2), 0);
  assert.equal(await reconcile(0), 2);
  assert.deepEqual(line.eventsOf('reconciled'), [{ type: 'reconciled', count: 2 }]);
  await line.worker();
  assert.equal(await line.relay(publisher), 2);
  await line.expectState(fresh, 'done');
  await line.expectState(tried, 'done');
  assert.deepEqual(line.runs.toSorted(), [`${fresh._id} 1`, `${tried._id} 3`].sort());
});
