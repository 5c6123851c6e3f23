/** Goal: a background task runs in one process at a time, and in another one after it. Method: two loops on the real store. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { StatementRefused, StoreUnavailable } from '@fit/jobs';
import { connectStore, LeaseStore } from '@fit/jobs/store';
import { eventually, testDatabaseUrl } from '@fit/stack/testing';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import { LeasedLoop } from '../../src/background/leasedLoop.ts';
import type { JobEvent } from '../../src/jobEvent.ts';
import { type TestStore, testStore } from '../support/testStore.ts';

interface Started {
  readonly loop: LeasedLoop;
  readonly rounds: () => number;
  /** Iterations of the loop that ended. */
  readonly iterations: () => number;
  readonly events: JobEvent[];
}

function startLoop(
  t: TestContext,
  { leases }: Pick<TestStore, 'leases'>,
  round = () => Promise.resolve(false),
): Started {
  const events: JobEvent[] = [];
  let count = 0;
  let iterationCount = 0;
  const loop = new LeasedLoop({
    name: 'task',
    leases,
    pauseMs: 20,
    onEvent: (event) => events.push(event),
    onIteration: () => {
      iterationCount += 1;
    },
    round: async () => {
      count += 1;
      return await round();
    },
  });
  t.after(() => loop.stop());
  return { loop, rounds: () => count, iterations: () => iterationCount, events };
}

const shows = (what: string) => ({ describe: () => what });
const outage = () => new StoreUnavailable('outage', new Error('store is out'));

test('only the holder does rounds, and after its stop another loop takes over at once', async (t) => {
  const store = await testStore(t);
  const first = startLoop(t, store);
  await eventually(() => first.rounds() > 0, shows('the first loop did no round'));
  const second = startLoop(t, store);
  const before = first.rounds();
  await eventually(() => first.rounds() > before + 5, shows('the first loop stopped'));
  assert.equal(second.rounds(), 0);
  const ownerOf = async () => (await store.raw('leases').findOne({ _id: 'task' }))?.['owner'];
  const owner = await ownerOf();
  await first.loop.stop();
  // A lease that is not released would have its owner for another fifteen seconds.
  assert.notEqual(await ownerOf(), owner);
  const after = first.rounds();
  await eventually(() => second.rounds() > 2, shows('the second loop did not take over'));
  assert.equal(first.rounds(), after);
  assert.deepEqual(second.events, [{ type: 'leaseTaken', name: 'task' }]);
});

test('rounds that fail by an outage are reported once, and the next good round reports its end', async (t) => {
  const store = await testStore(t);
  let failures = 3;
  const { events } = startLoop(t, store, () => {
    failures -= 1;
    return failures >= 0 ? Promise.reject(outage()) : Promise.resolve(false);
  });
  await eventually(
    () => events.some(({ type }) => type === 'storeUp'),
    shows('no recovery was reported'),
  );
  assert.deepEqual(
    events.map(({ type }) => type),
    ['leaseTaken', 'storeDown', 'storeUp'],
  );
});

test('contention is not reported; a refused statement is reported as a failed stage and no outage', async (t) => {
  const store = await testStore(t);
  const cause = new Error('cause');
  const errors = [
    new StoreUnavailable('contention', cause),
    new StatementRefused(cause),
    new StatementRefused(cause),
  ];
  const { events, rounds } = startLoop(t, store, () => {
    const error = errors.shift();
    return error === undefined ? Promise.resolve(false) : Promise.reject(error);
  });
  await eventually(() => rounds() > 4, shows('the rounds did not go on'));
  assert.deepEqual(
    events.map(({ type }) => type),
    ['leaseTaken', 'stageFailed'],
  );
});

test('an error that is none of the store is reported once as a failed stage, and no outage', async (t) => {
  const store = await testStore(t);
  let failures = 3;
  const { events, rounds } = startLoop(t, store, () => {
    failures -= 1;
    return failures >= 0 ? Promise.reject(new TypeError('a defect')) : Promise.resolve(false);
  });
  await eventually(() => rounds() > 4, shows('the rounds did not go on'));
  assert.deepEqual(
    events.map(({ type }) => type),
    ['leaseTaken', 'stageFailed'],
  );
});

test('a clock that steps back an hour does not keep the loop from renewing its lease', async (t) => {
  const store = await testStore(t);
  const { events } = startLoop(t, store);
  await eventually(() => events.some(({ type }) => type === 'leaseTaken'), shows('no lease'));
  const realNow = Date.now.bind(Date);
  t.mock.method(Date, 'now', () => realNow() - 3_600_000);
  // The lease belongs to another owner now, and the loop learns that only if it renews its lease.
  const expiresAt = new Date(realNow() + 3_600_000);
  await store.raw('leases').updateOne({ _id: 'task' }, { $set: { owner: 'other', expiresAt } });
  await eventually(() => events.some(({ type }) => type === 'leaseLost'), {
    deadlineMs: 20_000,
    describe: () => `the loop did not renew its lease: ${JSON.stringify(events)}`,
  });
});

test('a round with more work is followed by the next at once, and `wake` ends the pause', async (t) => {
  const store = await testStore(t);
  let hasMore = 3;
  const { loop, rounds } = startLoop(t, store, () => Promise.resolve((hasMore -= 1) > 0));
  await eventually(() => rounds() >= 3, shows('rounds did not follow'));
  const before = rounds();
  loop.wake();
  await eventually(() => rounds() > before, shows('wake did not end the pause'));
});

test('the loop reports its iterations without the lease and after failed rounds', async (t) => {
  const store = await testStore(t);
  const failing = startLoop(t, store, () => Promise.reject(outage()));
  await eventually(
    () => failing.iterations() > 3,
    shows('no iteration of a loop whose rounds fail'),
  );
  const waiting = startLoop(t, store);
  await eventually(
    () => waiting.iterations() > 3,
    shows('no iteration of a loop without the lease'),
  );
  assert.equal(waiting.rounds(), 0);
});

test('the loop continues while the database does not answer', async (t) => {
  const proxy = await openProxy(t, testDatabaseUrl());
  const connection = connectStore(proxy.url);
  t.after(() => connection.close());
  const { iterations, rounds, events } = startLoop(t, {
    leases: new LeaseStore(connection.database),
  });
  await eventually(() => rounds() > 0, shows('no round before the outage'));
  proxy.holdReplies();
  await eventually(() => events.some(({ type }) => type === 'storeDown'), {
    deadlineMs: 60_000,
    describe: () => `no outage was reported: ${JSON.stringify(events)}`,
  });
  const before = iterations();
  await eventually(() => iterations() > before + 1, {
    deadlineMs: 60_000,
    describe: () => `${iterations()} iterations, ${before} before the outage`,
  });
  proxy.release();
  await eventually(() => events.some(({ type }) => type === 'storeUp'), {
    deadlineMs: 60_000,
    describe: () => `no recovery: ${JSON.stringify(events)}`,
  });
});

test('a round that hangs reports no iteration', async (t) => {
  const store = await testStore(t);
  const hung = Promise.withResolvers<boolean>();
  const { iterations, rounds } = startLoop(t, store, () => hung.promise);
  // This runs before the loop is stopped, because the stop waits for the round.
  t.after(() => {
    hung.resolve(false);
  });
  await eventually(() => rounds() === 1, shows('no round'));
  const before = iterations();
  const other = startLoop(t, store);
  await eventually(() => other.iterations() > 5, shows('the other loop does not continue'));
  assert.deepEqual([rounds(), iterations()], [1, before]);
  hung.resolve(false);
  await eventually(() => iterations() > before, shows('the end of the round was not reported'));
});
