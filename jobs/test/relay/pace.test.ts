/** Goal: the broker holds some seconds of work, and at most half of what its queue takes. Method: simulated workers, no broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declareTopology, type KindOptions } from '@fit/topology';
import { largestTarget, Pace } from '../../src/relay/pace.ts';

function kindWith(options: Partial<KindOptions>) {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'job.one', queue: 'one', tiers: ['5s', '30s'], ...options } },
  });
  return declaration.kinds[0]!;
}

/**
 * Simulates a relay that keeps the queue at its target, and workers that consume at a speed.
 * @returns the target after each of the simulated tenths of a second.
 */
function simulate(pace: Pace, perSecond: number, seconds: number): number[] {
  const targets: number[] = [];
  let depth = 0;
  let sentCount = 0;
  for (let tenth = 0; tenth < seconds * 10; tenth += 1) {
    depth = Math.max(0, depth - perSecond / 10);
    pace.observe(depth, sentCount, tenth * 100);
    const count = Math.max(0, pace.target - depth);
    depth += count;
    sentCount += count;
    targets.push(pace.target);
  }
  return targets;
}

test('the largest target is half of the limit, or less where retries need the rest', () => {
  assert.equal(largestTarget(kindWith({ maxLength: 10_000 })), 5_000);
  assert.equal(largestTarget(kindWith({ maxLength: 1 })), 1);
  const load = { perSecond: 100, failureRatio: 0.5 };
  // 100 a second, half of them for 5 s and a quarter for 30 s: 1,000 places of 1,200 are for retries.
  assert.equal(largestTarget(kindWith({ maxLength: 1_200, load })), 200);
  const dropping = kindWith({ maxLength: 100, unsafe: ['drop-head'] });
  assert.equal(largestTarget(dropping), Infinity);
  const pace = new Pace(dropping);
  for (let second = 0; second < 5; second += 1) pace.observe(100, 1_000, second * 1_000);
  assert.equal(pace.target, Infinity);
});

test('slow workers get five seconds of work', () => {
  const targets = simulate(new Pace(kindWith({ maxLength: 100_000 })), 200, 20);
  const last = targets.at(-1)!;
  assert.ok(last >= 900 && last <= 1_100, `${last} for 200 a second`);
});

test('fast workers are never without work, up to half of the limit', () => {
  const targets = simulate(new Pace(kindWith({ maxLength: 10_000 })), 4_000, 10);
  assert.equal(targets.at(-1), 5_000);
  const later = simulate(new Pace(kindWith({ maxLength: 100_000 })), 4_000, 20);
  assert.ok(later.at(-1)! >= 18_000 && later.at(-1)! <= 40_000, String(later.at(-1)));
});

test('without workers the target falls to its smallest value, and rises again when they come', () => {
  const pace = new Pace(kindWith({ maxLength: 10_000 }));
  assert.equal(pace.target, 1_000);
  for (let second = 0; second < 10; second += 1) pace.observe(1_000, 1_000, second * 1_000);
  assert.equal(pace.target, 100);
  const wanted = (): number => pace.target;
  // The workers take everything at once, and everything that follows.
  let sentCount = 1_000;
  for (let tenth = 0; tenth < 20; tenth += 1) {
    sentCount += wanted();
    pace.observe(0, sentCount, 10_000 + tenth * 100);
  }
  assert.equal(pace.target, 5_000);
});

test('a queue that others fill counts as not consumed', () => {
  const pace = new Pace(kindWith({ maxLength: 10_000 }));
  for (let second = 0; second < 10; second += 1) pace.observe(second * 500, 0, second * 1_000);
  assert.equal(pace.target, 100);
});

test('the first reading, and the first one after a pause, show no speed', () => {
  const pace = new Pace(kindWith({ maxLength: 10_000 }));
  pace.observe(0, 0, 0);
  assert.equal(pace.target, 1_000);
  for (let tenth = 1; tenth < 20; tenth += 1) pace.observe(1_000, 1_000, tenth * 100);
  assert.equal(pace.target, 100);
  pace.observe(0, 1_000, 60_000);
  assert.equal(pace.target, 1_000);
});
