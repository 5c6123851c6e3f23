/** Goal: the whole table of outcome and attempt. Method: every cell. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Attempt, attemptOf, nextStep, type OutcomeType } from '@fit/topology';
import { DEFAULT } from '../support/declarations.ts';

const keys = ['job.createWod', 'createWodQueue.r1', 'createWodQueue.r2', 'createWodQueue.r3'];
const attempts: Attempt[] = keys.map((key) => attemptOf(DEFAULT.kinds[0]!, key, [])!);

test('done acks and reject parks, at each attempt', () => {
  for (const attempt of attempts) {
    assert.deepEqual(nextStep('done', attempt), { type: 'ack' });
    assert.deepEqual(nextStep('reject', attempt), { type: 'park' });
  }
});

test('retry waits for the tier of its attempt, and the last one is exhausted', () => {
  assert.deepEqual(
    attempts.map((attempt) => nextStep('retry', attempt)),
    [
      { type: 'wait', delayMs: 5_000 },
      { type: 'wait', delayMs: 30_000 },
      { type: 'wait', delayMs: 120_000 },
      { type: 'exhaust' },
    ],
  );
});

test('outcomes are a closed vocabulary', () => {
  // @ts-expect-error: there is no such outcome
  const unknown: OutcomeType = 'later';
  assert.equal(unknown, 'later');
});
