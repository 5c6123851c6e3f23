/** Goal: the status of a run is exact, and never `finished` too early. Method: calls without I/O. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runStatus } from '../../src/runs/runStatus.ts';
import { ends, expanded, runRecord } from '../support/runs.ts';

const tenSecondsLater = new Date('2026-11-23T05:00:10Z');

test('a running run has percent, rate and time left, and every job in one state', () => {
  const run = runRecord({ ...expanded(100), created: 90, skipped: 10, ends: ends({ done: 40 }) });
  const status = runStatus(run, tenSecondsLater, { running: 3, waiting: 7 });
  assert.deepEqual(
    [status.state, status.percent, status.ratePerSecond, status.etaSeconds],
    ['running', 40, 4, 15],
  );
  assert.deepEqual(status.states, { queued: 50, running: 3, waiting: 7, done: 40 });
  assert.deepEqual([status.total, status.created, status.skipped], [100, 90, 10]);
});

test('before the users are counted there is no total, and then those without a job are pending', () => {
  const uncounted = runStatus(runRecord(), tenSecondsLater);
  assert.deepEqual(
    [uncounted.state, uncounted.total, uncounted.percent, uncounted.states],
    ['accepting', undefined, 0, {}],
  );
  const counted = runRecord({
    total: 5_000,
    expanded: 2_000,
    created: 2_000,
    ends: ends({ done: 500 }),
  });
  const status = runStatus(counted, tenSecondsLater);
  assert.deepEqual([status.state, status.total, status.percent], ['accepting', 5_000, 10]);
  assert.deepEqual(status.states, { pending: 3_000, queued: 1_500, done: 500 });
  assert.equal(status.etaSeconds, 90);
});

test('the total is what was recorded, where users joined or left meanwhile', () => {
  const run = runRecord({ ...expanded(100), total: 98, ends: ends({ done: 98 }) });
  const status = runStatus(run, tenSecondsLater);
  assert.deepEqual([status.total, status.state, status.percent], [100, 'running', 98]);
});

test('dead jobs, those of earlier runs and refused ones count as ended, with their causes', () => {
  const run = runRecord({
    ...expanded(100),
    refused: 1,
    ends: ends({ done: 90, dead: 2, causes: { exhausted: 2, crashed: 0 } }),
    skippedEnds: ends({ done: 6, dead: 1, causes: { exhausted: 1 } }),
  });
  const status = runStatus(run, tenSecondsLater);
  assert.deepEqual([status.state, status.percent, status.refused], ['finished', 100, 1]);
  assert.deepEqual([status.states, status.causes], [{ done: 96, dead: 3 }, { exhausted: 3 }]);
  assert.equal(status.etaSeconds, undefined);
});

test('a run is not finished while jobs may follow, or while its counters are not reliable', () => {
  const done = { ends: ends({ done: 5 }) };
  const stateOf = (run: Parameters<typeof runStatus>[0]) => runStatus(run, tenSecondsLater).state;
  assert.equal(stateOf(runRecord({ total: 5, expanded: 5, created: 5, ...done })), 'accepting');
  assert.equal(stateOf(runRecord({ ...expanded(5), ...done, needsRecount: true })), 'running');
  assert.equal(stateOf(runRecord({ ...expanded(5), ...done })), 'finished');
  assert.equal(stateOf(runRecord({ ...expanded(5), isActive: false })), 'finished');
});

test('a cancelled run counts users without a job as cancelled, and is cancelled once its jobs have ended', () => {
  const run = runRecord({
    ...expanded(40),
    total: 100,
    cancelledAt: tenSecondsLater,
    ends: ends({ done: 10, cancelled: 25 }),
  });
  const status = runStatus(run, tenSecondsLater, { waiting: 5 });
  assert.deepEqual([status.state, status.total, status.percent], ['cancelling', 100, 95]);
  assert.deepEqual(status.states, { waiting: 5, done: 10, cancelled: 85 });
  const ended = { ...run, ends: ends({ done: 15, cancelled: 25 }) };
  assert.equal(runStatus(ended, tenSecondsLater).state, 'cancelled');
});

test('a run without jobs is finished once that is known', () => {
  const { state, percent, total } = runStatus(runRecord(expanded(0)), tenSecondsLater);
  assert.deepEqual([state, percent, total], ['finished', 100, 0]);
});

test('after the end the rate stays that of the run', () => {
  const run = runRecord({
    ...expanded(100),
    isActive: false,
    finishedAt: tenSecondsLater,
    ends: ends({ done: 100 }),
  });
  const { ratePerSecond, finishedAt } = runStatus(run, new Date('2026-11-24T05:00:00Z'));
  assert.deepEqual([ratePerSecond, finishedAt], [10, tenSecondsLater.toISOString()]);
});

test('counts that were read at different moments never become negative', () => {
  const run = runRecord({ ...expanded(10), total: 8, ends: ends({ done: 9, dead: -1 }) });
  assert.deepEqual(runStatus(run, tenSecondsLater, { running: 5 }).states, { running: 5, done: 9 });
});
