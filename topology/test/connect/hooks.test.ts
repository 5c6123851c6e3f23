/** Goal: faults of a handler reach somebody. Method: events, with and without a listener. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TopologyEvent } from '@fit/topology';
import { teller } from '../../src/connect/hooks.ts';

function logger() {
  const lines: string[] = [];
  const log = (text: unknown) => lines.push(String(text));
  return { lines, info: log, warn: log, error: log };
}

const FAILED: TopologyEvent = {
  type: 'settleFailed',
  queue: 'orders',
  error: new Error('is full'),
};
const INVALID: TopologyEvent = {
  type: 'invalidOutcome',
  queue: 'orders',
  error: new Error('is a number'),
};

test('without a listener each kind of fault is one line, however often it happens', () => {
  const log = logger();
  const tell = teller([undefined, {}], log);
  for (const event of [FAILED, INVALID, FAILED, INVALID]) tell(event);
  assert.equal(log.lines.length, 2, log.lines.join());
  assert.match(log.lines[0] ?? '', /settleFailed .*orders.*is full/);
  assert.match(log.lines[1] ?? '', /invalidOutcome .*orders.*is a number/);
});

test('a listener gets the fault, and no line repeats it', () => {
  const log = logger();
  const events: TopologyEvent[] = [];
  teller([{ onEvent: (event) => events.push(event) }], log)(FAILED);
  assert.deepEqual(events, [FAILED]);
  assert.deepEqual(log.lines, []);
});
