/** Goal: the settlement of each outcome at each attempt is right. Method: the whole table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '@fit/topology';
import {
  changeOf,
  type EndedJob,
  effectOf,
  finishedByEarlierAttempt,
  isFirstSuccess,
  StoredAnswer,
  settlementOf,
} from '../../src/settle/settlement.ts';
import { attemptEnd } from '../support/fakes.ts';

/** A machine whose clock is ten seconds slow. */
const WRITER = {
  workerId: 'worker',
  clock: { fromProcessTime: (atMs: number) => new Date(atMs + 10_000) },
};
const settlementFor = (end: EndedJob) => settlementOf(end, undefined, () => undefined);
const settled = (end: EndedJob) => {
  const settlement = settlementFor(end);
  return { ...settlement, change: changeOf(settlement, WRITER), effect: effectOf(settlement) };
};

const DONE: Outcome = { type: 'done', effect: { is: 'stored' } };
const RETRY: Outcome = { type: 'retry', error: new TypeError('later 7') };
const REJECT: Outcome = { type: 'reject', error: new RangeError('never') };

const AFTER: Outcome = { type: 'retry', after: 120, error: new TypeError('busy') };
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
    const settlement = settled(attemptEnd(number, outcome));
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
  assert.equal(settled(attemptEnd(1, AFTER)).change.spentCount, 3);
  assert.equal(settled(attemptEnd(3, AFTER)).change.spentCount, undefined);
  assert.equal(settled(attemptEnd(1, DISCARD)).change.attempt?.reason, 'left');
});

test('only a finished job has an effect, only a failed attempt an error', () => {
  assert.deepEqual(settled(attemptEnd(1, DONE)).effect, { is: 'stored' });
  assert.equal(settled(attemptEnd(1, DONE)).change.attempt?.error, undefined);
  const failed = settled(attemptEnd(1, RETRY));
  assert.equal(failed.effect, undefined);
  assert.equal(failed.change.attempt?.error?.class, 'TypeError');
});

test('a death has its cause, reason, fingerprint and time', () => {
  const { death, attempt } = settled(attemptEnd(4, RETRY)).change;
  assert.deepEqual(death, {
    cause: 'exhausted',
    reason: 'later 7',
    fingerprint: attempt?.error?.fingerprint,
    at: new Date(12_000),
  });
  assert.deepEqual(attempt?.startedAt, new Date(11_000));
});

test('only a success at the first attempt is written without its attempt', () => {
  const isFirst = (number: number, outcome: Outcome) =>
    isFirstSuccess(settlementFor(attemptEnd(number, outcome)));
  assert.deepEqual(
    [isFirst(1, DONE), isFirst(2, DONE), isFirst(1, DISCARD), isFirst(1, RETRY)],
    [true, false, false, false],
  );
});

test('a failed attempt of a job whose effect exists finishes the job, keeps its entry, and is acknowledged', () => {
  for (const outcome of [RETRY, REJECT]) {
    const settlement = finishedByEarlierAttempt(settlementFor(attemptEnd(4, outcome)));
    const change = changeOf(settlement, WRITER);
    assert.deepEqual(
      [settlement.transition, change.death, change.attempt?.outcome, effectOf(settlement)],
      ['finish', undefined, outcome.type, undefined],
    );
    assert.equal(isFirstSuccess(settlement), false);
    assert.deepEqual(settlement.answer, { type: 'done' });
  }
});

test('a stored answer reaches its worker once, whether it waits already or not', () => {
  const told: unknown[] = [];
  const tell = (answer: unknown) => told.push(answer);
  const awaited = new StoredAnswer();
  awaited.then(tell);
  assert.deepEqual(told, []);
  awaited.settle(undefined);
  awaited.settle({ type: 'done' });
  assert.deepEqual(told.splice(0), [undefined]);
  const early = new StoredAnswer();
  early.settle({ type: 'done' });
  early.then(tell);
  assert.deepEqual(told, [{ type: 'done' }]);
});
