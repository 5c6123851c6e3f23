/** Goal: the settlement of each outcome at each attempt is right. Method: the whole table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '@fit/topology';
import { settlementOf } from '../../src/settle/settlement.ts';
import { attemptEnd } from '../support/fakes.ts';

const DONE: Outcome = { type: 'done', effect: { is: 'stored' } };
const RETRY: Outcome = { type: 'retry', error: new TypeError('later 7') };
const REJECT: Outcome = { type: 'reject', error: new RangeError('never') };

const AFTER: Outcome = { type: 'retryAfter', delayMs: 120, error: new TypeError('busy') };
const DISCARD: Outcome = { type: 'discard', reason: 'left' };

type Row = [
  outcome: Outcome,
  number: number,
  transition: string,
  cause: string | undefined,
  delayMs: number | undefined,
];
const atEachAttempt = (outcome: Outcome, transition: string, cause?: string): Row[] =>
  [1, 2, 3, 4].map((number) => [outcome, number, transition, cause, undefined]);

test('each outcome at each attempt has its transition, cause and wait', () => {
  const table: Row[] = [
    ...atEachAttempt(DONE, 'finish'),
    ...atEachAttempt(DISCARD, 'cancel'),
    ...atEachAttempt(REJECT, 'markDead', 'fatal'),
    [RETRY, 1, 'wait', undefined, 50],
    [RETRY, 2, 'wait', undefined, 100],
    [RETRY, 3, 'wait', undefined, 150],
    [RETRY, 4, 'markDead', 'exhausted', undefined],
    [AFTER, 1, 'wait', undefined, 150],
    [AFTER, 3, 'wait', undefined, 150],
    [AFTER, 4, 'markDead', 'exhausted', undefined],
  ];
  for (const [outcome, number, transition, cause, delayMs] of table) {
    const settlement = settlementOf(attemptEnd(number, outcome), 'worker');
    const { change } = settlement;
    assert.deepEqual(
      [settlement.transition, change.death?.cause, change.attempt?.delayMs],
      [transition, cause, delayMs],
    );
    assert.deepEqual([change.id, change.generation], ['id', 2]);
    assert.equal(change.attempt?.number, number);
    assert.equal(change.attempt.outcome, outcome.type);
  }
});

test('skipped tiers count as spent, and a discarded job stores the reason', () => {
  assert.equal(settlementOf(attemptEnd(1, AFTER), 'worker').change.spentCount, 3);
  assert.equal(settlementOf(attemptEnd(3, AFTER), 'worker').change.spentCount, undefined);
  assert.equal(settlementOf(attemptEnd(1, DISCARD), 'worker').change.attempt?.reason, 'left');
});

test('only a finished job has an effect, only a failed attempt an error', () => {
  assert.deepEqual(settlementOf(attemptEnd(1, DONE), 'worker').effect, { is: 'stored' });
  assert.equal(settlementOf(attemptEnd(1, DONE), 'worker').change.attempt?.error, undefined);
  const failed = settlementOf(attemptEnd(1, RETRY), 'worker');
  assert.equal(failed.effect, undefined);
  assert.equal(failed.change.attempt?.error?.class, 'TypeError');
});

test('a death has its cause, reason, fingerprint and time', () => {
  const { death, attempt } = settlementOf(attemptEnd(4, RETRY), 'worker').change;
  assert.deepEqual(death, {
    cause: 'exhausted',
    reason: 'later 7',
    fingerprint: attempt?.error?.fingerprint,
    at: new Date(2_000),
  });
});
