/** Goal: a source that is away costs nobody time, and its last answer is never passed off as new. Method: a source by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kept } from '../../src/freshness/cachedSource.ts';

test('before the first answer it is unknown; after it, fresh until it is too old', async () => {
  const kept = new Kept({ ask: () => Promise.resolve('value'), staleMs: 1_000 });
  const before = kept.freshness(new Date());
  assert.deepEqual([before.isStale, before.answeredAt, kept.value], [true, null, undefined]);
  assert.ok(before.unknownSince);
  await kept.refresh();
  assert.deepEqual([kept.freshness(new Date()).isStale, kept.value], [false, 'value']);
  const later = kept.freshness(new Date(Date.now() + 5_000));
  assert.equal(later.isStale, true);
  assert.equal(later.unknownSince, later.answeredAt);
});

test('a failure keeps the last answer and says why; the next answer clears it', async () => {
  const answers = [() => 1, () => assert.fail('away'), () => 2];
  const kept = new Kept({ ask: async () => await Promise.resolve(answers.shift()!()), staleMs: 9 });
  await kept.refresh();
  await kept.refresh();
  assert.deepEqual([kept.value, kept.freshness(new Date()).reason], [1, 'away']);
  await kept.refresh();
  assert.deepEqual([kept.value, kept.freshness(new Date()).reason], [2, null]);
});

test('a hung source is asked once, and nobody waits for it beyond their patience', async () => {
  let asked = 0;
  const hung = new Promise<never>(() => undefined);
  const ask = () => {
    asked += 1;
    return hung;
  };
  const kept = new Kept({ ask, staleMs: 1_000 });
  const patience = { maxAgeMs: 0, waitMs: 20 };
  await Promise.all([kept.refreshed(patience), kept.refreshed(patience)]);
  await kept.refreshed(patience);
  assert.equal(asked, 1);
});
