/** Goal: the waits before and after an attempt are computed. Method: attempts of each number and outcome, headers as the relay writes them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '@fit/topology';
import type { EndedJob } from '../../src/settle/settlement.ts';
import { attemptWaits } from '../../src/work/attemptWaits.ts';
import { attemptEnd, KIND } from '../support/fakes.ts';

const FAILED: Outcome = { type: 'retry', error: new Error('again') };

test('a failed attempt has its next wait queue and wait; the last attempt has none', () => {
  const next = (number: number, outcome: Outcome = FAILED) => {
    const { delayMs, waitQueue } = attemptWaits(KIND, attemptEnd(number, outcome), 5_000);
    return [delayMs, waitQueue];
  };
  assert.deepEqual(next(1), [50, 'trivial.wait.1.50ms']);
  assert.deepEqual(next(3), [150, 'trivial.wait.3.150ms']);
  assert.deepEqual(next(4), [undefined, undefined]);
  assert.deepEqual(next(1, { type: 'done', effect: 1 }), [undefined, undefined]);
  const later: Outcome = { type: 'retry', after: 120, error: new Error('later') };
  assert.deepEqual(next(1, later), [150, 'trivial.wait.3.150ms']);
});

test('the wait before an attempt counts from the header in milliseconds, else from the AMQP timestamp, and is never negative', () => {
  const wait = (change: Partial<EndedJob['message']>) => {
    const end = attemptEnd(1, FAILED);
    const message = { ...end.message, ...change };
    return attemptWaits(KIND, { ...end, message }, 5_000).queueWaitMs;
  };
  assert.equal(wait({ headers: { 'published-at-ms': '4200' }, publishedAtSeconds: 1 }), 800);
  assert.equal(wait({ publishedAtSeconds: 4 }), 1_000);
  assert.equal(wait({ headers: { 'published-at-ms': '9000' } }), 0);
  for (const noTime of ['', 'soon', 'Infinity', 4_200, null])
    assert.equal(wait({ headers: { 'published-at-ms': noTime }, publishedAtSeconds: 4 }), 1_000);
  assert.equal(wait({}), undefined);
});
