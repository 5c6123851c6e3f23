/** Goal: relays take urgent batches first, then those that have waited for the longest time. Method: the real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testStore } from '../support/testStore.ts';

test('urgent batches are claimed first, also where only they are wanted', async (t) => {
  const { batches, clock } = await testStore(t);
  const now = clock.now();
  const insert = async (name: string, endedAgoMs: number, isUrgent: boolean) => {
    await batches.insert(
      {
        _id: `${name}:0`,
        runId: name,
        kind: 'trivial',
        ...(isUrgent ? { isUrgent } : {}),
        ids: [`trivial:${name}`],
        createdAt: now,
        owner: '',
      },
      new Date(now.getTime() - endedAgoMs),
    );
  };
  await insert('old', 9_000, false);
  await insert('older', 10_000, false);
  await insert('urgent', 1_000, true);
  await insert('more urgent', 2_000, true);
  await insert('held', -60_000, true);
  const claim = async (isUrgent: boolean, limit: number) => {
    const wanted = { kinds: ['trivial'], isUrgent, limit, jobLimit: 100, now };
    const { claimed, hasMore } = await batches.claim('relay', wanted);
    return [claimed.map(({ runId }) => runId), hasMore];
  };
  assert.deepEqual(await claim(false, 1), [['more urgent'], true]);
  assert.deepEqual(await claim(true, 10), [['urgent'], false]);
  assert.deepEqual(await claim(false, 10), [['older', 'old'], false]);
});
