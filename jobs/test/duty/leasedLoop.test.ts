/** Goal: a duty is done by one process at a time, and by another after it. Method: two loops on the real store. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { StatementRefused, StoreUnavailable } from '@fit/jobs';
import { eventually } from '@fit/stack/testing';
import { LeasedLoop } from '../../src/duty/leasedLoop.ts';
import type { JobEvent } from '../../src/event.ts';
import { type TestStore, testStore } from '../support/testStore.ts';

interface Started {
  readonly loop: LeasedLoop;
  readonly rounds: () => number;
  readonly events: JobEvent[];
}

function startLoop(
  t: TestContext,
  { leases }: TestStore,
  round = () => Promise.resolve(false),
): Started {
  const events: JobEvent[] = [];
  let count = 0;
  const loop = new LeasedLoop({
    ...{ name: 'duty', leases, pauseMs: 20 },
    onEvent: (event) => events.push(event),
    round: async () => {
      count += 1;
      return await round();
    },
  });
  t.after(() => loop.stop());
  return { loop, rounds: () => count, events };
}

const shows = (what: string) => ({ describe: () => what });

test('only the holder does rounds, and its clean stop hands the duty over at once', async (t) => {
  const store = await testStore(t);
  const first = startLoop(t, store);
  await eventually(() => first.rounds() > 0, shows('the first loop did no round'));
  const second = startLoop(t, store);
  const before = first.rounds();
  await eventually(() => first.rounds() > before + 5, shows('the first loop stopped'));
  assert.equal(second.rounds(), 0);
  const stoppedAt = Date.now();
  await first.loop.stop();
  const after = first.rounds();
  await eventually(() => second.rounds() > 2, shows('the second loop did not take over'));
  assert.ok(Date.now() - stoppedAt < 5_000);
  assert.equal(first.rounds(), after);
  assert.deepEqual(second.events, [{ type: 'leaseTaken', name: 'duty' }]);
});

test('a round that fails is an outage, told once; the next good one ends it', async (t) => {
  const store = await testStore(t);
  let failures = 3;
  const { events } = startLoop(t, store, () => {
    failures -= 1;
    return failures >= 0 ? Promise.reject(new Error('store is out')) : Promise.resolve(false);
  });
  await eventually(
    () => events.some(({ type }) => type === 'storeUp'),
    shows('no recovery was told'),
  );
  assert.deepEqual(
    events.map(({ type }) => type),
    ['leaseTaken', 'storeDown', 'storeUp'],
  );
});

test("statements in each other's way are no event; what the store refuses is one, and no outage", async (t) => {
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

test('a round that left work over is followed at once, and a kick ends the pause', async (t) => {
  const store = await testStore(t);
  let hasMore = 3;
  const { loop, rounds } = startLoop(t, store, () => Promise.resolve((hasMore -= 1) > 0));
  await eventually(() => rounds() >= 3, shows('rounds did not follow'));
  const before = rounds();
  loop.kick();
  await eventually(() => rounds() > before, shows('the kick was not heard'));
});
