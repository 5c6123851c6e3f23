/** Goal: a program that died is started again at growing intervals, and given up at last. Method: the rule, without I/O; starts that fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextDelayMs, Restarter } from '../../src/launch/restarter.ts';
import type { StackError } from '../../src/stackError.ts';

test('the delay doubles with each death in a row, up to 15 s', () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 70].map((inARow) =>
    nextDelayMs({ inARow, failedStarts: 0 }),
  );
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
});

test('after five failed starts there is no further one', () => {
  assert.equal(nextDelayMs({ inARow: 5, failedStarts: 4 }), 8_000);
  assert.equal(nextDelayMs({ inARow: 6, failedStarts: 5 }), undefined);
});

/** @param results of the starts, in their order: whether each becomes ready. */
function restarterOf(results: boolean[]) {
  const waits: number[] = [];
  const lines: string[] = [];
  const givenUp: StackError[] = [];
  const restarter = new Restarter({
    name: 'gym',
    start: () => (results.shift() === true ? Promise.resolve() : Promise.reject(new Error('shut'))),
    wait: (delayMs) => {
      waits.push(delayMs);
      return Promise.resolve();
    },
    onProgress: (line) => lines.push(line),
    onGiveUp: (error) => givenUp.push(error),
  });
  return { restarter, waits, lines, givenUp };
}

test('a failed start is reported and tried again until the program is ready', async () => {
  const { restarter, waits, lines, givenUp } = restarterOf([false, true]);
  await restarter.restart();
  assert.deepEqual(waits, [500, 1_000]);
  assert.deepEqual(lines, ['gym: starting again in 0.5 s', 'shut', 'gym: starting again in 1 s']);
  assert.deepEqual(givenUp, []);
});

test('a program that never becomes ready is given up once, with a reason', async () => {
  const { restarter, waits, givenUp } = restarterOf([]);
  await restarter.restart();
  assert.equal(waits.length, 5);
  assert.deepEqual(
    givenUp.map(({ code, message }) => [code, message]),
    [['RESTART_GIVEN_UP', 'gym did not become ready in 5 starts in a row; giving up']],
  );
});

test('a program that becomes ready and dies at once waits longer each time, and is not given up', async () => {
  const { restarter, waits, givenUp } = restarterOf([true, true, true, true, true, true, true]);
  for (let death = 1; death <= 7; death += 1) await restarter.restart();
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  assert.deepEqual(givenUp, []);
});

test('nothing is started after the stop has begun', async () => {
  const { restarter, waits } = restarterOf([true]);
  await restarter.stop();
  await restarter.restart();
  assert.deepEqual(waits, []);
});
