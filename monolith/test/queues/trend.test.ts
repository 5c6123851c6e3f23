/** Goal: the page's forecast is the alerts' forecast. Method: the pure functions on series whose answer is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  growthPerSecond,
  type Point,
  ratePerSecond,
  slopePerSecond,
  timeToFullSeconds,
} from '../../src/queues/trend.ts';

/** A value every five seconds, at a time as large as the real one. */
function series(...values: number[]): Point[] {
  return values.map((value, index) => ({ atMs: 1_795_000_000_000 + index * 5_000, value }));
}

test('a line has its own slope, whatever its offset', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1_000, max: 1_000 }),
      fc.integer({ min: 0, max: 100_000 }),
      fc.integer({ min: 2, max: 12 }),
      (step, start, count) => {
        const values = Array.from({ length: count }, (_, index) => start + step * index);
        assert.ok(Math.abs((slopePerSecond(series(...values)) ?? NaN) - step / 5) < 1e-6);
      },
    ),
  );
});

test('least squares, not first to last: one late jump counts as Prometheus counts it', () => {
  // By hand: the covariance of that series is 125, the variance of its times 437.5.
  assert.ok(Math.abs((slopePerSecond(series(0, 0, 0, 0, 0, 10)) ?? NaN) - 125 / 437.5) < 1e-9);
});

test('one moment, or none, is no trend', () => {
  assert.equal(slopePerSecond([]), undefined);
  assert.equal(slopePerSecond(series(7)), undefined);
  assert.equal(slopePerSecond([...series(7), ...series(9)]), undefined);
});

test('time to full is what is left by the slope, 0 where nothing is left, and unknown where nothing fills', () => {
  const queue = { counted: 40, limit: 100 };
  assert.equal(timeToFullSeconds(queue, 2), 30);
  assert.equal(timeToFullSeconds({ counted: 120, limit: 100 }, 2), 0);
  for (const slope of [undefined, -3, 0, 0.05])
    assert.equal(timeToFullSeconds(queue, slope), undefined);
  assert.ok(timeToFullSeconds(queue, 0.051) !== undefined);
});

test('a rate is not known across a restart of the broker; a growth may be negative', () => {
  assert.equal(ratePerSecond(series(100, 150, 200)), 10);
  assert.equal(ratePerSecond(series(100, 150, 0, 50)), undefined);
  assert.equal(growthPerSecond(series(100, 50)), -10);
  assert.equal(growthPerSecond(series(100)), undefined);
});
