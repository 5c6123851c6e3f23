/** Goal: the status forecasts as the alerts do. Method: calls without I/O on series with a known answer. */
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

/** One value every five seconds, at times as large as real ones, where precision could be lost. */
function series(...values: number[]): Point[] {
  return values.map((value, index) => ({ atMs: 1_795_000_000_000 + index * 5_000, value }));
}

test('the slope of a line is exact, whatever its offset', () => {
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

test('the slope is that of least squares and not from first to last, as in Prometheus', () => {
  // By hand: the covariance of that series is 125, the variance of its times 437.5.
  assert.ok(Math.abs((slopePerSecond(series(0, 0, 0, 0, 0, 10)) ?? NaN) - 125 / 437.5) < 1e-9);
});

test('fewer than two moments give no slope', () => {
  assert.equal(slopePerSecond([]), undefined);
  assert.equal(slopePerSecond(series(7)), undefined);
  assert.equal(slopePerSecond([...series(7), ...series(9)]), undefined);
});

test('time to full is the remaining capacity by the slope; 0 at the limit, undefined where the queue is not filling', () => {
  const queue = { counted: 40, limit: 100 };
  assert.equal(timeToFullSeconds(queue, 2), 30);
  assert.equal(timeToFullSeconds({ counted: 120, limit: 100 }, 2), 0);
  for (const slope of [undefined, -3, 0, 0.05])
    assert.equal(timeToFullSeconds(queue, slope), undefined);
  assert.ok(timeToFullSeconds(queue, 0.051) !== undefined);
});

test('a rate is undefined across a restart of the broker; a growth may be negative', () => {
  assert.equal(ratePerSecond(series(100, 150, 200)), 10);
  assert.equal(ratePerSecond(series(100, 150, 0, 50)), undefined);
  assert.equal(growthPerSecond(series(100, 50)), -10);
  assert.equal(growthPerSecond(series(100)), undefined);
});
