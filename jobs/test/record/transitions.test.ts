/** Goal: nothing leaves done, and every live state can reach an end. Method: every state and every transition. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JOB_STATES, LIVE_STATES } from '@fit/jobs';
import { allowedBefore, type JobState, TRANSITIONS } from '../../src/record/transitions.ts';

const TERMINAL: readonly JobState[] = ['done', 'dead', 'cancelled'];
const entries = Object.entries(TRANSITIONS) as [
  keyof typeof TRANSITIONS,
  { from: readonly JobState[]; to: JobState },
][];

test('each state is either live or terminal', () => {
  assert.deepEqual(new Set([...LIVE_STATES, ...TERMINAL]), new Set(JOB_STATES));
  assert.equal(LIVE_STATES.length + TERMINAL.length, JOB_STATES.length);
});

test('no transition leaves done, and only a replay, a further run and an effect that exists leave dead or cancelled', () => {
  for (const [name, { from }] of entries) {
    assert.ok(!from.includes('done'), name);
    const isOfEnded = name === 'finish' || name === 'takeOver';
    assert.equal(from.includes('dead'), name === 'replay' || isOfEnded, name);
    assert.equal(from.includes('cancelled'), isOfEnded, name);
  }
});

test('every live state leads to done, waiting, dead and cancelled', () => {
  for (const name of ['wait', 'markDead', 'cancel'] as const)
    assert.deepEqual(new Set(allowedBefore(name).$in), new Set(LIVE_STATES), name);
  const ended = ['dead', 'cancelled'] as const;
  assert.deepEqual(new Set(allowedBefore('finish').$in), new Set([...LIVE_STATES, ...ended]));
});

test('a job that the broker lost can be published again from every live state', () => {
  assert.deepEqual(new Set(allowedBefore('reconcile').$in), new Set(LIVE_STATES));
});

test('a change of the returned filter does not change the table', () => {
  allowedBefore('replay').$in.push('done');
  assert.deepEqual(allowedBefore('replay').$in, ['dead']);
});
