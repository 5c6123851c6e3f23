/** Goal: a source that is away costs nobody time, and its last answer is never passed off as new. Method: a source by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CachedSource } from '../src/cachedSource.ts';

test('before the first answer it is unknown; after it, fresh until it is too old', async () => {
  const source = new CachedSource({ ask: () => Promise.resolve('value'), staleMs: 1_000 });
  const before = source.freshness(new Date());
  assert.deepEqual([before.isStale, before.answeredAt, source.value], [true, null, undefined]);
  assert.ok(before.unknownSince);
  await source.refresh();
  assert.deepEqual([source.freshness(new Date()).isStale, source.value], [false, 'value']);
  const later = source.freshness(new Date(Date.now() + 5_000));
  assert.equal(later.isStale, true);
  assert.equal(later.unknownSince, later.answeredAt);
});

test('a failure keeps the last answer and says why; the next answer clears it', async () => {
  const answers = [() => 1, () => assert.fail('away'), () => 2];
  const source = new CachedSource({
    ask: async () => await Promise.resolve(answers.shift()!()),
    staleMs: 9,
  });
  await source.refresh();
  await source.refresh();
  assert.deepEqual([source.value, source.freshness(new Date()).reason], [1, 'away']);
  await source.refresh();
  assert.deepEqual([source.value, source.freshness(new Date()).reason], [2, null]);
});

test('a hung source is asked once, and nobody waits for it beyond their patience', async () => {
  let asked = 0;
  const hung = new Promise<never>(() => undefined);
  const ask = () => {
    asked += 1;
    return hung;
  };
  const source = new CachedSource({ ask, staleMs: 1_000 });
  const patience = { maxAgeMs: 0, waitMs: 20 };
  await Promise.all([source.refreshed(patience), source.refreshed(patience)]);
  await source.refreshed(patience);
  assert.equal(asked, 1);
});
