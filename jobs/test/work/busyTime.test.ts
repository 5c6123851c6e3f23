/** Goal: busy time is the time that handlers run, also while they run. Method: work that ends when told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BusyTime } from '../../src/work/busyTime.ts';

const never = new AbortController().signal;

const SPIN_MS = 10;
/** Of sums and differences of fractions. */
const ROUNDING_MS = 1e-6;

interface Growth {
  readonly busyMs: number;
  /** Between the two readings of it, and around them: its own clock lies in between. */
  readonly leastMs: number;
  readonly mostMs: number;
}

/** @returns what was added while this turned for a while. */
function growth(busy: BusyTime): Growth {
  const outerMs = performance.now();
  const busyMs = busy.totalMs;
  const innerMs = performance.now();
  while (performance.now() - innerMs < SPIN_MS);
  const leastMs = performance.now() - innerMs;
  return {
    busyMs: busy.totalMs - busyMs,
    leastMs,
    mostMs: performance.now() - outerMs,
  };
}

test('two at once count twice while they run, and nothing once they are over', async () => {
  const busy = new BusyTime();
  const { promise, resolve } = Promise.withResolvers<string>();
  const answers = [busy.during(never, () => promise), busy.during(never, () => promise)];
  const running = growth(busy);
  const seen = JSON.stringify(running);
  assert.ok(running.busyMs >= 2 * running.leastMs - ROUNDING_MS, seen);
  assert.ok(running.busyMs <= 2 * running.mostMs + ROUNDING_MS, seen);
  resolve('done');
  const ended = await Promise.all(answers.map((answer) => Promise.resolve(answer)));
  assert.deepEqual(ended, ['done', 'done']);
  assert.equal(growth(busy).busyMs, 0);
});

test('work that throws, rejects or answers at once takes no place afterwards', async () => {
  const busy = new BusyTime();
  const fail = () => {
    throw new Error('at once');
  };
  assert.throws(() => busy.during(never, fail), /at once/);
  await assert.rejects(async () => busy.during(never, () => Promise.reject(new Error('later'))));
  assert.equal(
    busy.during(never, () => 'done'),
    'done',
  );
  assert.equal(growth(busy).busyMs, 0);
});

test('work that is given up takes no place, though it goes on', () => {
  const busy = new BusyTime();
  const controller = new AbortController();
  void busy.during(controller.signal, () => new Promise(() => undefined));
  controller.abort();
  assert.equal(growth(busy).busyMs, 0);
});
