/** Goal: the key alone decides the attempt, whatever x-death claims. Method: every key, then hostile headers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf, readDeaths } from '@fit/topology';
import fc from 'fast-check';
import { DEFAULT } from '../support/declarations.ts';

const kind = DEFAULT.kinds[0]!;
const rejection = (count: number) => ({ queue: 'createWodQueue', reason: 'rejected', count });
const rejected = (count: number) => ({ 'x-death': [rejection(count)] });

test('each key is its attempt; a rejection leads to the tier after it', () => {
  const keys = ['job.createWod', 'createWodQueue.r1', 'createWodQueue.r2', 'createWodQueue.r3'];
  assert.deepEqual(
    keys.map((key, index) => attemptOf(kind, key, rejected(index))),
    [5_000, 30_000, 120_000, undefined].map((nextDelayMs, index) => ({
      number: index + 1,
      isLast: index === 3,
      nextDelayMs,
      agreesWithDeaths: true,
    })),
  );
});

test('a key of no tier is no attempt', () => {
  for (const key of [
    '',
    'job.other',
    'createWodQueue.r00',
    'createWodQueue.r01',
    'createWodQueue.r100',
    'createWodQueue.rx',
    'otherQueue.r1',
  ])
    assert.equal(attemptOf(kind, key, {}), undefined, key);
});

test('a key of a tier that is no longer declared is a last attempt', () => {
  for (const tier of [4, 9, 99])
    assert.deepEqual(attemptOf(kind, `createWodQueue.r${tier}`, rejected(tier)), {
      number: tier + 1,
      isLast: true,
      nextDelayMs: undefined,
      agreesWithDeaths: true,
    });
});

test('native: the broker counts in the queue, whatever a client sends as a count', () => {
  const native = { ...kind, backend: 'native' } as const;
  const numberOf = (count: unknown) =>
    attemptOf(native, 'job.createWod', { 'x-delivery-count': count })?.number;
  assert.deepEqual([undefined, 0, 1, 2, 3].map(numberOf), [1, 1, 2, 3, 4]);
  assert.deepEqual(['2', -1, 1.5, null, {}].map(numberOf), [1, 1, 1, 1, 1]);
  assert.equal(attemptOf(native, 'job.createWod', { 'x-delivery-count': 3 })?.isLast, true);
});

test('on disagreement the key wins, and it is said', () => {
  for (const headers of [{}, rejected(1), rejected(3), rejected(-1), rejected(Number.NaN)]) {
    const attempt = attemptOf(kind, 'createWodQueue.r2', headers);
    assert.equal(attempt?.number, 3);
    assert.equal(attempt.agreesWithDeaths, false);
  }
});

test('only rejections in the main queue count, wherever they stand', () => {
  const deaths = [
    { queue: 'createWodQueue.wait.1.5s', reason: 'expired', count: 1 },
    { queue: 'createWodQueue', reason: 'delivery_limit', count: 7 },
    { queue: 'other', reason: 'rejected', count: 9 },
    rejection(1),
  ];
  assert.equal(attemptOf(kind, 'createWodQueue.r1', { 'x-death': deaths })?.agreesWithDeaths, true);
});

test('hostile x-death is read without a throw, bounded, and typed', () => {
  for (const hostile of [undefined, null, 'x', 7, {}, [null, 1, 'x', {}, [], { queue: 1 }]])
    assert.deepEqual(readDeaths({ 'x-death': hostile }), []);
  const record = { queue: 'q', reason: 'rejected', count: 'many', time: {}, __proto__: null };
  const flood = Array.from({ length: 10_000 }, () => record);
  const deaths = readDeaths({ 'x-death': flood });
  assert.equal(deaths.length, 64);
  assert.deepEqual(deaths[0], {
    queue: 'q',
    reason: 'rejected',
    count: 0,
    firstAtMs: undefined,
    routingKeys: [],
  });
});

test('property: any x-death gives an attempt of the key', () => {
  fc.assert(
    fc.property(fc.anything(), fc.integer({ min: 1, max: 3 }), (hostile, tier) => {
      const attempt = attemptOf(kind, `createWodQueue.r${tier}`, { 'x-death': hostile });
      assert.equal(attempt?.number, tier + 1);
    }),
  );
});
