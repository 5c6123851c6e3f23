/** Goal: the checks of a run find each kind of fault. Method: calls without I/O, on runs with one fault each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunStatusReply } from '@fit/client';
import { wrongCounts, wrongPages } from '../../src/ledger/checkRun.ts';

const status: RunStatusReply = {
  runId: 'r',
  date: '2026-01-05',
  state: 'finished',
  total: 3,
  expanded: 3,
  created: 3,
  skipped: 0,
  refused: 0,
  states: { done: 3 },
  causes: {},
  percent: 100,
  ratePerSecond: 1,
};

test('a run that counts what it must has no wrong counts; each wrong number is found', () => {
  assert.deepEqual(wrongCounts(status, 3), []);
  const wrong: readonly Partial<RunStatusReply>[] = [
    { total: 4 },
    { expanded: 2 },
    { created: 2 },
    { skipped: 1 },
    { refused: 1 },
    { states: { done: 2, dead: 1 } },
    { states: { done: 4 } },
  ];
  for (const counts of wrong)
    assert.equal(wrongCounts({ ...status, ...counts }, 3).length, 1, JSON.stringify(counts));
});

test('pages that divide the members are right; a gap, a second page, an overlap and skipped jobs are found', () => {
  const pages = [
    { page: 0, ids: ['a', 'b'] },
    { page: 1, ids: ['c'] },
    // The rest of a page that the broker did not take is no page of its own.
    { ids: ['c'] },
  ];
  assert.deepEqual(wrongPages(pages, 3), []);
  assert.match(wrongPages(pages.slice(1), 1).join(), /page numbers: \[1\] instead of \[0\]/);
  assert.match(wrongPages([...pages, { page: 1, ids: [] }], 3).join(), /\[0,1,1\]/);
  assert.match(
    wrongPages([...pages, { page: 2, ids: ['c'] }], 3).join(';'),
    /jobs on pages: 4 instead of 3/,
  );
  assert.match(wrongPages(pages, 4).join(';'), /different jobs on pages: 3 instead of 4/);
  assert.match(
    wrongPages([{ page: 0, ids: ['a'], skippedIds: ['a'] }], 1).join(),
    /skipped jobs: 1 instead of 0/,
  );
});
