/** Goal: the table is legal: terminal is terminal, live is never lost. Method: every state and every change. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JOB_STATES, LIVE_STATES } from '@fit/jobs';
import { allowedBefore, type JobState, TRANSITIONS } from '../../src/record/transitions.ts';

const TERMINAL: readonly JobState[] = ['done', 'dead', 'cancelled'];
const entries = Object.entries(TRANSITIONS) as [
  keyof typeof TRANSITIONS,
  { from: readonly JobState[]; to: JobState },
][];

test('live and terminal states are all there are', () => {
  assert.deepEqual(new Set([...LIVE_STATES, ...TERMINAL]), new Set(JOB_STATES));
  assert.equal(LIVE_STATES.length + TERMINAL.length, JOB_STATES.length);
});

test('done and cancelled are left by nothing, dead by a replay alone', () => {
  for (const [name, { from }] of entries) {
    assert.ok(!from.includes('done') && !from.includes('cancelled'), name);
    assert.equal(from.includes('dead'), name === 'replay', name);
  }
});

test('every live state leads to done, waiting, dead and cancelled', () => {
  for (const name of ['finish', 'wait', 'markDead', 'cancel'] as const)
    assert.deepEqual(new Set(allowedBefore(name).$in), new Set(LIVE_STATES), name);
});

test('a mark of the relay never undoes a worker, and a lost job is found from each state after it', () => {
  assert.deepEqual(allowedBefore('queue').$in, ['pending']);
  assert.deepEqual(allowedBefore('reconcile').$in, ['queued', 'running', 'waiting']);
});

test('the filter is a copy: changing it leaves the table as it was', () => {
  allowedBefore('queue').$in.push('done');
  assert.deepEqual(allowedBefore('queue').$in, ['pending']);
});
