/** Goal: the check finds each kind of fault. Method: calls without I/O, on ledgers with one fault each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConsistency, misplacedRetries } from '../../src/ledger/checkConsistency.ts';
import type { Ledger, LedgerAttempt, LedgerJob } from '../../src/ledger/readLedger.ts';

const at = (ms: number) => new Date(1_000_000 + ms);
const attempt = (number: number, ms: number, delayMs?: number): LedgerAttempt => ({
  number,
  generation: 1,
  outcome: 'retry',
  startedAt: at(ms),
  endedAt: at(ms),
  ...(delayMs === undefined ? {} : { delayMs }),
});
const job = (userId: string, state = 'done', cause?: string): LedgerJob => ({
  id: `createWod:${userId}:d`,
  userId,
  date: 'd',
  state,
  generation: 1,
  cause,
  attemptCount: 1,
  attempts: [],
});
const faultless: Ledger = {
  accepted: ['a:d', 'b:d'],
  jobs: [job('a'), job('b', 'dead', 'exhausted')],
  workouts: ['a:d'],
  storedDeadLetterCount: 0,
  depths: {},
};

test('a ledger without a fault has nothing lost, doubled or unexpected, and its dead jobs are counted by cause', () => {
  const { lost, doubled, unexpected, dead, done } = checkConsistency(faultless);
  assert.deepEqual(
    { lost, doubled, unexpected, done },
    { lost: 0, doubled: 0, unexpected: 0, done: 1 },
  );
  assert.deepEqual(dead, { exhausted: 1 });
});

const faults: readonly [name: string, broken: Ledger, field: 'lost' | 'doubled' | 'unexpected'][] =
  [
    ['a job that never ended', { ...faultless, jobs: [job('a'), job('b', 'queued')] }, 'lost'],
    ['an accepted job without a record', { ...faultless, jobs: [job('a')] }, 'lost'],
    ['two workouts for one day', { ...faultless, workouts: ['a:d', 'a:d'] }, 'doubled'],
    ['two jobs for one day', { ...faultless, jobs: [...faultless.jobs, job('a')] }, 'doubled'],
    ['a done job without its workout', { ...faultless, workouts: [] }, 'unexpected'],
    ['a dead job with a workout', { ...faultless, workouts: ['a:d', 'b:d'] }, 'unexpected'],
    [
      'a job that was not requested',
      { ...faultless, jobs: [...faultless.jobs, job('z', 'dead')] },
      'unexpected',
    ],
    ['a workout that was not requested', { ...faultless, workouts: ['a:d', 'z:d'] }, 'unexpected'],
  ];
for (const [name, broken, field] of faults)
  test(`${name} is counted as ${field}`, () => {
    assert.equal(checkConsistency(broken)[field], 1);
  });

test('a ledger of 200,000 jobs is checked without overflowing the stack', () => {
  const ids = Array.from({ length: 200_000 }, (_, index) => String(index));
  const { lost, mostAttempts } = checkConsistency({
    accepted: ids.map((id) => `${id}:d`),
    jobs: ids.map((id) => job(id)),
    workouts: ids.map((id) => `${id}:d`),
    storedDeadLetterCount: 0,
    depths: {},
  });
  assert.deepEqual({ lost, mostAttempts }, { lost: 0, mostAttempts: 1 });
});

test('a retry at its tier is accepted; too early, too late or at another tier is misplaced', () => {
  const retried = (waitedMs: number, delayMs: number): LedgerJob => ({
    ...job('a'),
    attempts: [attempt(1, 0, delayMs), attempt(2, waitedMs)],
  });
  for (const right of [retried(5_010, 5_000), retried(4_990, 5_000)])
    assert.deepEqual(misplacedRetries([right], [5_000], 1_000), []);
  for (const wrong of [retried(4_400, 5_000), retried(6_100, 5_000), retried(5_010, 30_000)])
    assert.equal(misplacedRetries([wrong], [5_000], 1_000).length, 1);
});
