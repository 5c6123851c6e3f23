/** Goal: the statistics of a report are right at their edges. Method: small lists. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { orderOf } from '../src/interleave.ts';
import { distributionOf, median, quantile, rate } from '../src/statistics.ts';

test('the median of an even count is the mean of the two middle values', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([]), 0);
});

test('the 99th percentile of 200 values is above 198 of them', () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  assert.equal(quantile(values, 0.99), 199);
  assert.equal(quantile(values, 0.5), 101);
  assert.equal(quantile(values, 1), 200);
});

test('a rate of no time is that of a millisecond', () => {
  assert.equal(rate(10, 0), 10_000);
  assert.equal(rate(10, 2_000), 5);
});

test('a distribution holds the extremes and the middle half', () => {
  const { lowest, lowerQuartile, upperQuartile, highest } = distributionOf([1, 2, 3, 4, 100]);
  assert.deepEqual([lowest, lowerQuartile, upperQuartile, highest], [1, 2, 4, 100]);
});

test('in as many pairs of rounds as there are sides, each comes first and last equally often', () => {
  const names = ['a', 'b', 'c'];
  const orders = Array.from({ length: 6 }, (_, index) => orderOf(names, index));
  for (const name of names) {
    assert.equal(orders.filter(([first]) => first === name).length, 2);
    assert.equal(orders.filter((order) => order.at(-1) === name).length, 2);
  }
});
