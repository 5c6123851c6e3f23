/** Goal: a source that does not answer delays nobody, and its last answer shows its age. Method: a source by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CachedSource } from '../src/cachedSource.ts';

test('the freshness is unknown before the first answer, and stale when the answer is too old', async () => {
  const source = new CachedSource({ read: () => Promise.resolve('value'), staleAfterMs: 1_000 });
  const before = source.freshness(new Date());
  assert.deepEqual([before.isStale, before.answeredAt, source.value], [true, null, undefined]);
  assert.ok(before.unknownSince);
  await source.refresh();
  assert.deepEqual([source.freshness(new Date()).isStale, source.value], [false, 'value']);
  const later = source.freshness(new Date(Date.now() + 5_000));
  assert.equal(later.isStale, true);
  assert.equal(later.unknownSince, later.answeredAt);
});

test('a failed read keeps the last answer and its reason; the next answer clears the reason', async () => {
  const answers = [() => 1, () => assert.fail('away'), () => 2];
  const source = new CachedSource({
    read: async () => await Promise.resolve(answers.shift()!()),
    staleAfterMs: 9,
  });
  await source.refresh();
  await source.refresh();
  assert.deepEqual([source.value, source.freshness(new Date()).reason], [1, 'away']);
  await source.refresh();
  assert.deepEqual([source.value, source.freshness(new Date()).reason], [2, null]);
});

test('a source that hangs gets one request, and a caller waits no longer than it wants to', async () => {
  let asked = 0;
  const hung = new Promise<never>(() => undefined);
  const read = () => {
    asked += 1;
    return hung;
  };
  const source = new CachedSource({ read, staleAfterMs: 1_000 });
  const bounds = { maxAgeMs: 0, waitMs: 20 };
  await Promise.all([source.refreshIfOlder(bounds), source.refreshIfOlder(bounds)]);
  await source.refreshIfOlder(bounds);
  assert.equal(asked, 1);
});

test('while the last answer is not stale, a reader does not wait for a slow source', async () => {
  let count = 0;
  const source = new CachedSource({
    // The second read never ends; a reader that waited for it would exceed the time limit of tests.
    read: () => (count++ === 0 ? Promise.resolve('first') : new Promise<string>(() => undefined)),
    staleAfterMs: 60_000,
  });
  const bounds = { maxAgeMs: -1, waitMs: 3_600_000 };
  await source.refreshIfOlder(bounds);
  await source.refreshIfOlder(bounds);
  assert.deepEqual([source.value, count], ['first', 2]);
});
