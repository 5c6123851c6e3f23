/** Goal: what is stored and what is answered, for each end of an attempt. Method: every cell of the table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settlementOf } from '../../src/settle/settlement.ts';
import type { Outcome } from '../../src/work/handler.ts';
import { attemptEnd } from '../support/fakes.ts';

const DONE: Outcome<unknown> = { type: 'done', effect: { is: 'stored' } };
const RETRY: Outcome<unknown> = { type: 'retry', error: new TypeError('later 7') };
const REJECT: Outcome<unknown> = { type: 'reject', error: new RangeError('never') };

test('the whole table', () => {
  const table: [
    Outcome<unknown>,
    number,
    string,
    string,
    string | undefined,
    number | undefined,
  ][] = [
    ...[1, 2, 3, 4].map((number) => [DONE, number, 'finish', 'ack', undefined, undefined] as const),
    [RETRY, 1, 'wait', 'reject', undefined, 50],
    [RETRY, 2, 'wait', 'reject', undefined, 100],
    [RETRY, 3, 'wait', 'reject', undefined, 150],
    [RETRY, 4, 'bury', 'reject', 'exhausted', undefined],
    ...[1, 2, 3, 4].map((number) => [REJECT, number, 'bury', 'ack', 'fatal', undefined] as const),
  ].map(([...row]) => row as never);
  for (const [outcome, number, transition, answer, cause, delayMs] of table) {
    const settlement = settlementOf(attemptEnd(number, outcome));
    const { change } = settlement;
    assert.deepEqual(
      [settlement.transition, settlement.answer, change.death?.cause, change.attempt?.delayMs],
      [transition, answer, cause, delayMs],
    );
    assert.deepEqual([change.id, change.generation], ['id', 2]);
    assert.equal(change.attempt?.number, number);
    assert.equal(change.attempt.outcome, outcome.type);
  }
});

test('only a finished job has an effect, only a failed attempt an error', () => {
  assert.deepEqual(settlementOf(attemptEnd(1, DONE)).effect, { is: 'stored' });
  assert.equal(settlementOf(attemptEnd(1, DONE)).change.attempt?.error, undefined);
  const failed = settlementOf(attemptEnd(1, RETRY));
  assert.equal(failed.effect, undefined);
  assert.equal(failed.change.attempt?.error?.class, 'TypeError');
});

test('a death says why, when, and in which group', () => {
  const { death, attempt } = settlementOf(attemptEnd(4, RETRY)).change;
  assert.deepEqual(death, {
    cause: 'exhausted',
    reason: 'later 7',
    fingerprint: attempt?.error?.fingerprint,
    at: new Date(2_000),
  });
});
