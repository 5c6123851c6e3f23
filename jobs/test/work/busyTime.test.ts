/** Goal: busy time is the time that handlers run, also while they run. Method: work that the test ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BusyTime } from '../../src/work/busyTime.ts';

const never = new AbortController().signal;

const SPIN_MS = 10;
/** Error of sums and differences of fractions. */
const ROUNDING_MS = 1e-6;

interface Growth {
  readonly busyMs: number;
  /** The real time between the two readings is at least `leastMs` and at most `mostMs`. */
  readonly leastMs: number;
  readonly mostMs: number;
}

/** @returns the busy time that was added during 10 ms. */
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

test('two concurrent handlers count twice while they run, and not afterwards', async () => {
  const busy = new BusyTime();
  const { promise, resolve } = Promise.withResolvers<string>();
  const answers = [
    busy.during({ signal: never }, () => promise),
    busy.during({ signal: never }, () => promise),
  ];
  const running = growth(busy);
  const seen = JSON.stringify(running);
  assert.ok(running.busyMs >= 2 * running.leastMs - ROUNDING_MS, seen);
  assert.ok(running.busyMs <= 2 * running.mostMs + ROUNDING_MS, seen);
  resolve('done');
  const ended = await Promise.all(answers.map((answer) => Promise.resolve(answer)));
  assert.deepEqual(ended, ['done', 'done']);
  assert.equal(growth(busy).busyMs, 0);
});

test('work that throws, rejects or answers at once does not count afterwards', async () => {
  const busy = new BusyTime();
  const fail = () => {
    throw new Error('at once');
  };
  assert.throws(() => busy.during({ signal: never }, fail), /at once/);
  await assert.rejects(async () =>
    busy.during({ signal: never }, () => Promise.reject(new Error('later'))),
  );
  assert.equal(
    busy.during({ signal: never }, () => 'done'),
    'done',
  );
  assert.equal(growth(busy).busyMs, 0);
});

test('abandoned work does not count, although it still runs', () => {
  const busy = new BusyTime();
  const controller = new AbortController();
  void busy.during(controller, () => new Promise(() => undefined));
  controller.abort();
  assert.equal(growth(busy).busyMs, 0);
});
