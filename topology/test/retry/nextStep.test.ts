/** Goal: the whole table of outcome and attempt. Method: every cell, then any wait asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Attempt, attemptOf, nextStep, type Outcome, type OutcomeType } from '@fit/topology';
import fc from 'fast-check';
import { DEFAULT } from '../support/declarations.ts';

const kind = DEFAULT.kind.createWod;
const keys = ['job.createWod', 'createWodQueue.r1', 'createWodQueue.r2', 'createWodQueue.r3'];
const attempts: Attempt[] = keys.map((key) => attemptOf(kind, key, {})!);
const error = new Error('no');
const stepsOf = (outcome: Outcome) => attempts.map((attempt) => nextStep(kind, attempt, outcome));
const stepsAfter = (delayMs: number) => stepsOf({ type: 'retry', after: delayMs, error });

test('done is acknowledged, discard dropped and reject dead-lettered, at each attempt', () => {
  for (const [outcome, type] of [
    [{ type: 'done', effect: 'e' }, 'ack'],
    [{ type: 'discard', reason: 'left' }, 'drop'],
    [{ type: 'reject', error }, 'deadLetter'],
  ] as const)
    assert.deepEqual(stepsOf(outcome), [{ type }, { type }, { type }, { type }]);
});

test('retry waits for the tier of its attempt, and the last one is exhausted', () => {
  assert.deepEqual(stepsOf({ type: 'retry', error }), [
    { type: 'wait', delayMs: 5_000 },
    { type: 'wait', delayMs: 30_000 },
    { type: 'wait', delayMs: 120_000 },
    { type: 'exhaust' },
  ]);
});

test('retry after: the nearest tier that is not shorter; its own needs no publish', () => {
  assert.deepEqual(stepsAfter(5_000), stepsOf({ type: 'retry', error }));
  assert.deepEqual(stepsAfter(5_001), [
    { type: 'skip', tier: 2, delayMs: 30_000 },
    { type: 'wait', delayMs: 30_000 },
    { type: 'wait', delayMs: 120_000 },
    { type: 'exhaust' },
  ]);
});

test('retry after more than the longest tier waits for the longest', () => {
  assert.deepEqual(stepsAfter(3_600_000), [
    { type: 'skip', tier: 3, delayMs: 120_000 },
    { type: 'skip', tier: 3, delayMs: 120_000 },
    { type: 'wait', delayMs: 120_000 },
    { type: 'exhaust' },
  ]);
});

test('native: the broker alone chooses the delay', () => {
  const native = { ...kind, backend: 'native' } as const;
  const outcome: Outcome = { type: 'retry', after: 60_000, error };
  assert.deepEqual(nextStep(native, attempts[0]!, outcome), { type: 'wait', delayMs: 5_000 });
});

test('property: no retry-after is earlier than asked for where a tier is long enough', () => {
  const tiers = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(tiers, fc.nat(1_200), fc.nat(6), (tiersMs, delayMs, spent) => {
      const tieredKind = { ...kind, tiersMs };
      const attempt = attemptOf(
        tieredKind,
        spent === 0 ? kind.key : `${kind.queue}.r${spent}`,
        {},
      )!;
      const step = nextStep(tieredKind, attempt, { type: 'retry', after: delayMs, error });
      const left = tiersMs.slice(spent);
      if (left.length === 0) {
        assert.equal(step.type, 'exhaust');
        return;
      }
      assert.ok(step.type === 'wait' || step.type === 'skip');
      const enough = left.filter((tierMs) => tierMs >= delayMs);
      const best = enough.length > 0 ? Math.min(...enough) : Math.max(...left);
      assert.equal(step.delayMs, best);
      if (step.type === 'skip') assert.equal(tiersMs[step.tier - 1], best);
    }),
  );
});

test('outcomes are a closed vocabulary', () => {
  // @ts-expect-error: there is no such outcome
  const unknown: OutcomeType = 'later';
  assert.equal(unknown, 'later');
});
