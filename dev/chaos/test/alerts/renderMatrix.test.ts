/** Goal: a fault that is played again changes its own lines alone. Method: a table, read and written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultReport } from '../../src/alerts/observe.ts';
import { renderMatrix, rowsIn, rowsOf } from '../../src/alerts/renderMatrix.ts';

const FAULTS = ['coach down', 'queue purged'].map((name) => ({ name, about: `${name} it is` }));

function report(name: string, seconds: number): FaultReport {
  const common = { receiver: 'page', firedSeconds: seconds };
  return {
    fault: {
      name,
      about: '',
      expected: [],
      inject: () => Promise.resolve(),
      mend: () => Promise.resolve(),
    },
    told: [
      { ...common, alert: 'JobStuck warning', resolvedSeconds: -4, isExpected: false },
      { ...common, alert: 'TargetDown critical', resolvedSeconds: 5, isExpected: true },
    ],
    failures: [],
  };
}

test('expected ones first, in bold; over before the mending is said to be', () => {
  const table = renderMatrix(FAULTS, rowsOf([report('coach down', 7)]));
  assert.match(table, /^\| coach down \| \*\*TargetDown critical\*\* \| 7 s \| page \| 5 s \|$/m);
  assert.match(table, /^\|  \| JobStuck warning \| 7 s \| page \| before \|$/m);
  assert.match(table, /^- \*\*queue purged\*\*: queue purged it is\.$/m);
});

test('what is not played again stays, in the order of the faults', () => {
  const old = renderMatrix(FAULTS, rowsOf(FAULTS.map(({ name }) => report(name, 7))));
  const rows = new Map([...rowsIn(old), ...rowsOf([report('queue purged', 90)])]);
  const table = renderMatrix(FAULTS, rows);
  assert.equal(renderMatrix(FAULTS, rowsIn(old)), old);
  assert.equal(table.replaceAll('90 s', '7 s'), old);
  assert.equal(table.match(/90 s/g)?.length, 2);
});
