/** Goal: a report shows aim, limit and notes, and a broken limit is never hidden. Method: reports of invented figures. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createReport, isWithinBounds, renderReport } from '../src/benchReport.ts';
import { type Bound, exactly, measuredBelow, ratioAtLeast, ratioAtMost } from '../src/workload.ts';

function reportOf(bound: Bound, measured: readonly number[]) {
  const comparison = { name: 'speed', unit: 'jobs/s', measured, baseline: measured.map(() => 100) };
  return createReport(
    {
      baselineName: 'the other',
      comparisons: [{ ...comparison, bound }],
      rounds: [{}],
      notes: ['n'],
    },
    { workload: 'w', machine: 'm', settings: {} },
  );
}

test('between limit and aim a figure is accepted, and beyond the limit it is not', () => {
  assert.ok(isWithinBounds(reportOf(ratioAtLeast(1.6, 2), [170, 100, 300])));
  assert.ok(!isWithinBounds(reportOf(ratioAtLeast(1.6, 2), [150, 100, 300])));
  assert.ok(isWithinBounds(reportOf(ratioAtMost(1.6, 1.2), [150, 100, 300])));
  assert.ok(!isWithinBounds(reportOf(ratioAtMost(1.6, 1.2), [170, 100, 300])));
  assert.ok(isWithinBounds(reportOf(measuredBelow(30, 'ms', 15), [29])));
  assert.ok(!isWithinBounds(reportOf(measuredBelow(30, 'ms', 15), [30])));
});

test('a count must be right in every round, not only in the middle one', () => {
  assert.ok(isWithinBounds(reportOf(exactly(5, [5, 5, 5]), [5, 5, 5])));
  assert.ok(!isWithinBounds(reportOf(exactly(5, [5, 5, 4]), [5, 5, 4])));
});

test('a column that no figure needs is left out', () => {
  const comparison = { name: 'count', unit: 'jobs', measured: [1] };
  const report = createReport(
    { baselineName: 'the other', comparisons: [comparison], rounds: [{}] },
    { workload: 'w', machine: 'm', settings: {} },
  );
  assert.match(renderReport(report), /\n\| figure \| unit \| measured \|\n\|---\|---\|---\|\n/);
});

test('the table names aim, limit and notes', () => {
  const text = renderReport(reportOf(ratioAtLeast(1.6, 2), [150]));
  assert.match(text, /\| ≥ 2 \| ratio ≥ 1\.6: NO \|/);
  assert.match(text, /\n- n$/);
});
