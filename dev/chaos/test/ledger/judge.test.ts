/** Goal: the verdict turns red on every planted fault. Method: the pure judge over ledgers broken by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, misplacedRetries } from '../../src/ledger/judge.ts';
import type { Ledger, LedgerAttempt, LedgerJob } from '../../src/ledger/ledger.ts';

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
  attempts: [attempt(1, 0)],
});
const clean: Ledger = {
  accepted: ['a:d', 'b:d'],
  jobs: [job('a'), job('b', 'dead', 'exhausted')],
  wods: ['a:d'],
  letterCount: 0,
  depths: {},
};

test('a clean ledger is clean, and its dead have causes', () => {
  const { lost, doubled, unexpected, dead, done } = judge(clean);
  assert.deepEqual(
    { lost, doubled, unexpected, done },
    { lost: 0, doubled: 0, unexpected: 0, done: 1 },
  );
  assert.deepEqual(dead, { exhausted: 1 });
});

const faults: readonly [name: string, broken: Ledger, field: 'lost' | 'doubled' | 'unexpected'][] =
  [
    ['a job that never ended', { ...clean, jobs: [job('a'), job('b', 'queued')] }, 'lost'],
    ['an accepted job without a record', { ...clean, jobs: [job('a')] }, 'lost'],
    ['two workouts for one day', { ...clean, wods: ['a:d', 'a:d'] }, 'doubled'],
    ['two jobs for one day', { ...clean, jobs: [...clean.jobs, job('a')] }, 'doubled'],
    ['a done job without its workout', { ...clean, wods: [] }, 'unexpected'],
    [
      'a job that nobody asked for',
      { ...clean, jobs: [...clean.jobs, job('z', 'dead')] },
      'unexpected',
    ],
    ['a workout that nobody asked for', { ...clean, wods: ['a:d', 'z:d'] }, 'unexpected'],
  ];
for (const [name, broken, field] of faults)
  test(`${name} is ${field}`, () => {
    assert.equal(judge(broken)[field], 1);
  });

test('a ledger of 200,000 jobs is judged', () => {
  const ids = Array.from({ length: 200_000 }, (_, index) => String(index));
  const { lost, mostAttempts } = judge({
    accepted: ids.map((id) => `${id}:d`),
    jobs: ids.map((id) => job(id)),
    wods: ids.map((id) => `${id}:d`),
    letterCount: 0,
    depths: {},
  });
  assert.deepEqual({ lost, mostAttempts }, { lost: 0, mostAttempts: 1 });
});

test('a retry at its tier is right; too early, too late or at another tier is not', () => {
  const retried = (waitedMs: number, delayMs: number): LedgerJob => ({
    ...job('a'),
    attempts: [attempt(1, 0, delayMs), attempt(2, waitedMs)],
  });
  assert.deepEqual(misplacedRetries([retried(5_010, 5_000)], [5_000], 1_000), []);
  for (const wrong of [retried(4_990, 5_000), retried(6_100, 5_000), retried(5_010, 30_000)])
    assert.equal(misplacedRetries([wrong], [5_000], 1_000).length, 1);
});
