/** Goal: the day's verdict is never better than the truth. Method: the pure functions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseRun, todayReport, unknownToday } from '../../src/status/todayReport.ts';
import type { Run } from '../../src/store/runStore.ts';

const date = '2026-11-23';
const now = new Date('2026-11-23T05:01:00Z');

function run(id: string, total?: number, at = '05:00:00'): Run {
  return {
    _id: id,
    date,
    requestHash: 'h',
    createdAt: new Date(`${date}T${at}Z`),
    isForEveryone: true,
    ...(total === undefined ? {} : { accepted: { total, created: total, skipped: 0 } }),
  };
}

function verdictOf(states: Record<string, number>, given: Run | undefined = run('a', 100)): string {
  const counts = { states, causes: {} };
  return todayReport({ date, run: given, counts, pendingCount: 0, oldest: {} }, now).verdict;
}

test('served only when every one is stored; ended with some dead is incomplete', () => {
  assert.equal(verdictOf({ done: 100 }), 'served');
  assert.equal(verdictOf({ done: 98, dead: 2 }), 'incomplete');
  assert.equal(verdictOf({ done: 98, waiting: 2 }), 'running');
  assert.equal(verdictOf({ done: 5 }, run('a')), 'running', 'still being recorded');
  assert.equal(unknownToday(date).verdict, 'unknown');
});

test('without a run for the day nobody is said to be served', () => {
  const report = todayReport(
    { date, run: undefined, counts: { states: {}, causes: {} }, pendingCount: 3, oldest: {} },
    now,
  );
  assert.deepEqual([report.verdict, report.total, report.outbox?.pending], ['none', 0, 3]);
});

test('missing ones are told by state, causes with the run, the outbox with its age', () => {
  const counts = { states: { done: 90, waiting: 4, dead: 6 }, causes: { exhausted: 6 } };
  const oldest = { pending: new Date('2026-11-23T05:00:30Z') };
  const report = todayReport({ date, run: run('a', 100), counts, pendingCount: 1, oldest }, now);
  assert.deepEqual([report.served, report.total], [90, 100]);
  assert.deepEqual(report.missing, { waiting: 4, dead: 6 });
  assert.deepEqual(report.run?.causes, { exhausted: 6 });
  assert.deepEqual(report.outbox, { pending: 1, oldestAgeSeconds: 30 });
});

const chosen = (...runs: Run[]) => chooseRun(runs)?._id;
const forSome = (given: Run): Run => ({ ...given, isForEveryone: false });

test('the day is judged by a run for everyone, whatever others asked for, now or later', () => {
  const few = forSome(run('few', 500, '06:00:00'));
  assert.equal(chosen(few, run('all', 100)), 'all');
  assert.equal(chosen(forSome(run('recording', undefined, '07:00:00')), run('all', 100)), 'all');
  const { isForEveryone, ...before } = run('before', 900);
  assert.equal(chosen(before, run('all', 100)), 'all', `not told: ${isForEveryone}`);
  assert.equal(chosen(few), 'few', 'better than none, and said to be for some');
  assert.equal(chosen(), undefined);
});

test('of like runs it is the largest, the newest of equals, and one that is being recorded', () => {
  assert.equal(chosen(run('late', 1, '06:00:00'), run('all', 100)), 'all');
  assert.equal(chosen(run('first', 100), run('again', 100, '07:00:00')), 'again');
  assert.equal(chosen(run('all', 100), run('recording', undefined, '06:00:00')), 'recording');
});

test('a run whose recording was interrupted counts until a newer one of its like is recorded', () => {
  const interrupted = run('interrupted', undefined, '05:00:00');
  assert.equal(chosen(interrupted), 'interrupted');
  assert.equal(chosen(run('again', 100, '06:00:00'), interrupted), 'again');
  assert.equal(chosen(run('recording', undefined, '06:00:00'), interrupted), 'recording');
  assert.equal(chosen(forSome(run('some', 1, '06:00:00')), interrupted), 'interrupted');
  assert.equal(chosen(run('all', 100, '06:00:00'), forSome(interrupted)), 'all');
  assert.equal(chosen(forSome(run('some', 1, '06:00:00')), forSome(interrupted)), 'some');
});
