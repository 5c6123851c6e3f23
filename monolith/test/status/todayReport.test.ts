/** Goal: the report never shows a day as better than it is. Method: calls without I/O. */
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

test('the day is served when every workout is stored, and incomplete when the run ended with dead jobs', () => {
  assert.equal(verdictOf({ done: 100 }), 'served');
  assert.equal(verdictOf({ done: 98, dead: 2 }), 'incomplete');
  assert.equal(verdictOf({ done: 98, waiting: 2 }), 'running');
  assert.equal(verdictOf({ done: 5 }, run('a')), 'running', 'still being recorded');
  assert.equal(unknownToday(date).verdict, 'unknown');
});

test('without a run the verdict is `none`', () => {
  const report = todayReport(
    { date, run: undefined, counts: { states: {}, causes: {} }, pendingCount: 3, oldest: {} },
    now,
  );
  assert.deepEqual([report.verdict, report.total, report.outbox?.pending], ['none', 0, 3]);
});

test('the report has users without a workout by state, causes of death, and the age of the outbox', () => {
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

test('a run for everyone is chosen before larger or newer runs for some users', () => {
  const few = forSome(run('few', 500, '06:00:00'));
  assert.equal(chosen(few, run('all', 100)), 'all');
  assert.equal(chosen(forSome(run('recording', undefined, '07:00:00')), run('all', 100)), 'all');
  assert.equal(chosen(few), 'few', 'a run for some users is chosen where there is no other');
  assert.equal(chosen(), undefined);
});

test('of runs of the same scope the largest is chosen, then the newest; one that is being recorded counts as the largest', () => {
  assert.equal(chosen(run('late', 1, '06:00:00'), run('all', 100)), 'all');
  assert.equal(chosen(run('first', 100), run('again', 100, '07:00:00')), 'again');
  assert.equal(chosen(run('all', 100), run('recording', undefined, '06:00:00')), 'recording');
});

test('an interrupted run is chosen until a newer run of the same scope is recorded', () => {
  const interrupted = run('interrupted', undefined, '05:00:00');
  assert.equal(chosen(interrupted), 'interrupted');
  assert.equal(chosen(run('again', 100, '06:00:00'), interrupted), 'again');
  assert.equal(chosen(run('recording', undefined, '06:00:00'), interrupted), 'recording');
  assert.equal(chosen(forSome(run('some', 1, '06:00:00')), interrupted), 'interrupted');
  assert.equal(chosen(run('all', 100, '06:00:00'), forSome(interrupted)), 'all');
  assert.equal(chosen(forSome(run('some', 1, '06:00:00')), forSome(interrupted)), 'some');
});
