/** Goal: silent jobs are republished only where no backlog explains them. Method: a recorder in place of the store. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultStaleAfterMs, reconcileOnce } from '@fit/jobs';
import type { JobStore } from '@fit/jobs/store';
import { declareTopology } from '@fit/topology';
import { QUICK } from '../support/fakes.ts';

test('quiet is the longest retry path of any kind, and half a minute', () => {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: {
      one: { key: 'job.one', queue: 'one', tiers: ['5s', '30s', '120s'] },
      two: { key: 'job.two', queue: 'two', tiers: ['1s'] },
    },
  });
  assert.equal(defaultStaleAfterMs(declaration), 185_000);
});

async function reconciled(silent: number, ready: number | Error) {
  const seen = { events: [] as unknown[], asked: [] as string[], changed: 0 };
  const store = {
    countStale: () => Promise.resolve(silent),
    reconcile: () => {
      seen.changed += 1;
      return Promise.resolve(silent);
    },
  } as unknown as JobStore;
  const count = await reconcileOnce({
    declaration: QUICK,
    store,
    staleAfterMs: 1_000,
    readyCount: (queue) => {
      seen.asked.push(queue);
      return ready instanceof Error ? Promise.reject(ready) : Promise.resolve(ready);
    },
    onEvent: (event) => seen.events.push(event),
  });
  return { ...seen, count };
}

test('nobody silent: the broker is not even asked', async () => {
  assert.deepEqual(await reconciled(0, 0), { events: [], asked: [], changed: 0, count: 0 });
});

test('as many ready as silent: coaches are slow, nothing is lost', async () => {
  for (const ready of [5, 6]) {
    const { count, changed, events } = await reconciled(5, ready);
    assert.deepEqual([count, changed, events], [0, 0, []]);
  }
});

test('a broker that does not tell has lost nothing that is known', async () => {
  const { count, changed } = await reconciled(5, new Error('the broker is away'));
  assert.deepEqual([count, changed], [0, 0]);
});

test('fewer ready than silent: some are lost, and it is said', async () => {
  const { count, events, asked } = await reconciled(5, 4);
  assert.equal(count, 5);
  assert.deepEqual(asked, ['trivial']);
  assert.deepEqual(events, [{ type: 'reconciled', count: 5 }]);
});
