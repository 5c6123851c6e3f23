/** Goal: stale jobs become pending again only where no backlog explains them. Method: a fake store that records the calls. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultStaleAfterMs, reconcileOnce } from '@fit/jobs';
import type { JobStore } from '@fit/jobs/store';
import { declareTopology } from '@fit/topology';
import { QUICK } from '../support/fakes.ts';

test('a job is stale after the longest retry path of any kind and half a minute', () => {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: {
      one: { key: 'job.one', queue: 'one', tiers: ['5s', '30s', '120s'] },
      two: { key: 'job.two', queue: 'two', tiers: ['1s'] },
    },
  });
  assert.equal(defaultStaleAfterMs(declaration), 185_000);
});

async function reconciled(staleCount: number, ready: number | Error) {
  const seen = { events: [] as unknown[], asked: [] as string[], changed: 0 };
  const store = {
    countStale: () => Promise.resolve(staleCount),
    reconcile: () => {
      seen.changed += 1;
      return Promise.resolve(staleCount);
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

test('without stale jobs the broker is not queried', async () => {
  assert.deepEqual(await reconciled(0, 0), { events: [], asked: [], changed: 0, count: 0 });
});

test('with as many ready messages as stale jobs nothing changes', async () => {
  for (const ready of [5, 6]) {
    const { count, changed, events } = await reconciled(5, ready);
    assert.deepEqual([count, changed, events], [0, 0, []]);
  }
});

test('without an answer of the broker nothing changes', async () => {
  const { count, changed } = await reconciled(5, new Error('the broker is away'));
  assert.deepEqual([count, changed], [0, 0]);
});

test('with fewer ready messages than stale jobs all stale jobs are pending again, and the count is reported', async () => {
  const { count, events, asked } = await reconciled(5, 4);
  assert.equal(count, 5);
  assert.deepEqual(asked, ['trivial']);
  assert.deepEqual(events, [{ type: 'reconciled', count: 5 }]);
});
