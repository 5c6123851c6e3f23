/** Goal: the status of a run is exact, and never `finished` too early. Method: calls without I/O. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runStatus } from '../../src/runs/runStatus.ts';
import type { Run } from '../../src/store/runStore.ts';

const createdAt = new Date('2026-11-23T05:00:00Z');
const tenSecondsLater = new Date('2026-11-23T05:00:10Z');
const run: Run = {
  _id: 'run-1',
  date: '2026-11-23',
  requestHash: 'h',
  isForEveryone: false,
  createdAt,
  accepted: { total: 100, created: 90, skipped: 10 },
};

test('a running run has percent, rate and time left', () => {
  const status = runStatus(
    run,
    { states: { done: 40, waiting: 10, queued: 50 }, causes: {} },
    tenSecondsLater,
  );
  assert.deepEqual(
    [status.state, status.percent, status.ratePerSecond, status.etaSeconds],
    ['running', 40, 4, 15],
  );
});

test('dead jobs count as ended, with their causes', () => {
  const counts = { states: { done: 98, dead: 2 }, causes: { exhausted: 2 } };
  const status = runStatus(run, counts, tenSecondsLater);
  assert.deepEqual([status.state, status.percent], ['finished', 100]);
  assert.deepEqual(status.causes, { exhausted: 2 });
  assert.equal(status.etaSeconds, undefined);
});

test('a run whose jobs are still being recorded is not finished, even if all recorded jobs are done', () => {
  const { accepted, ...accepting } = run;
  const status = runStatus(accepting, { states: { done: 5 }, causes: {} }, tenSecondsLater);
  assert.ok(accepted);
  assert.equal(status.state, 'accepting');
});

test('a run without jobs is finished', () => {
  const nobody = { ...run, accepted: { total: 0, created: 0, skipped: 0 } };
  assert.equal(runStatus(nobody, { states: {}, causes: {} }, tenSecondsLater).state, 'finished');
});

test('the status says whether the run is for everyone', () => {
  const isForEveryone = (given: Run) =>
    runStatus(given, { states: {}, causes: {} }, tenSecondsLater).isForEveryone;
  assert.deepEqual(
    [isForEveryone({ ...run, isForEveryone: true }), isForEveryone(run)],
    [true, false],
  );
});
