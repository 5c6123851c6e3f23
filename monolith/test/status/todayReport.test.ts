/** Goal: the report never shows a day as better than it is. Method: calls without I/O. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunSummary } from '@fit/jobs/store';
import type { JobFigures } from '../../src/status/jobFigures.ts';
import { chooseRun, todayReport, unknownToday } from '../../src/status/todayReport.ts';
import { ends, expanded, runRecord } from '../support/runs.ts';

const date = '2026-11-23';
const at = new Date('2026-11-23T05:01:00Z');

function figures(fields: { pending?: number; oldest?: JobFigures['oldest'] } = {}): JobFigures {
  const { pending = 0, oldest = {} } = fields;
  return {
    states: { pending, queued: 0, running: 0, waiting: 0, done: 0, dead: 0 },
    oldest,
    at,
  };
}

function verdictOf(run: RunSummary): string {
  return todayReport({ date, run, live: {}, figures: figures() }).verdict;
}

test('the day is served when every workout is stored, and incomplete when the run ended with dead jobs', () => {
  assert.equal(verdictOf(runRecord({ ...expanded(100), ends: ends({ done: 100 }) })), 'served');
  const withDead = ends({ done: 98, dead: 2 });
  assert.equal(verdictOf(runRecord({ ...expanded(100), ends: withDead })), 'incomplete');
  const withRefused = { ...expanded(100), refused: 1, ends: ends({ done: 99 }) };
  assert.equal(verdictOf(runRecord(withRefused)), 'incomplete');
  assert.equal(verdictOf(runRecord({ ...expanded(100), ends: ends({ done: 98 }) })), 'running');
  const partly = { expanded: 5, created: 5, ends: ends({ done: 5 }) };
  assert.equal(verdictOf(runRecord(partly)), 'running', 'the users are not counted yet');
  assert.equal(verdictOf(runRecord({ ...partly, total: 5 })), 'running', 'users may follow');
  assert.equal(unknownToday(date).verdict, 'unknown');
});

test('without a run the verdict is `none`', () => {
  const report = todayReport({ date, run: undefined, live: {}, figures: figures({ pending: 3 }) });
  assert.deepEqual([report.verdict, report.total, report.outbox?.pending], ['none', 0, 3]);
});

test('the report has users without a workout by state, causes of death, and the age of the outbox', () => {
  const run = runRecord({
    ...expanded(100),
    refused: 1,
    ends: ends({ done: 90, dead: 5, causes: { exhausted: 5 } }),
  });
  const oldest = { pending: new Date('2026-11-23T05:00:30Z') };
  const report = todayReport({
    date,
    run,
    live: { waiting: 4 },
    figures: figures({ pending: 1, oldest }),
  });
  assert.deepEqual([report.served, report.total], [90, 100]);
  assert.deepEqual(report.missing, { waiting: 4, dead: 5, refused: 1 });
  assert.deepEqual(report.run?.causes, { exhausted: 5 });
  assert.deepEqual(report.outbox, { pending: 1, oldestAgeSeconds: 30 });
});

test('while the users are not counted, the total is what is recorded', () => {
  const run = runRecord({ expanded: 7, created: 7 });
  assert.equal(todayReport({ date, run, live: {}, figures: figures() }).total, 7);
});

function run(id: string, total?: number, time = '05:00:00'): RunSummary {
  const createdAt = new Date(`${date}T${time}Z`);
  return runRecord({ _id: id, createdAt, ...(total === undefined ? {} : { total }) });
}
const chosen = (...runs: RunSummary[]) => chooseRun(runs)?._id;
const forSome = (given: RunSummary): RunSummary => ({
  ...given,
  request: { date, isForEveryone: false },
});

test('a run for everyone is chosen before larger or newer runs for some users', () => {
  const few = forSome(run('few', 500, '06:00:00'));
  assert.equal(chosen(few, run('all', 100)), 'all');
  assert.equal(chosen(few), 'few', 'a run for some users is chosen where there is no other');
  assert.equal(chosen(), undefined);
});

test('a cancelled run leaves the day incomplete, and a further run is chosen before it', () => {
  const cancelled = { ...run('cancelled', 100), cancelledAt: at };
  assert.equal(chosen(cancelled, run('again', 90)), 'again');
  const done = { ...expanded(40), total: 100, ends: ends({ done: 40 }), cancelledAt: at };
  assert.equal(verdictOf(runRecord(done)), 'incomplete');
});

test('of runs of the same scope the largest is chosen, then the newest; one that is not counted counts as the largest', () => {
  assert.equal(chosen(run('late', 1, '06:00:00'), run('all', 100)), 'all');
  assert.equal(chosen(run('first', 100), run('again', 100, '07:00:00')), 'again');
  assert.equal(chosen(run('all', 100), run('uncounted', undefined, '06:00:00')), 'uncounted');
});
