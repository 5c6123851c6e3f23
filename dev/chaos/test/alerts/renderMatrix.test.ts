/** Goal: a fault that is injected again changes only its own rows. Method: a table, written and read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultReport } from '../../src/alerts/injectFault.ts';
import { readRows, renderMatrix, renderRows } from '../../src/alerts/renderMatrix.ts';

const FAULTS = ['coach down', 'queue purged'].map((name) => ({
  name,
  description: `${name} it is`,
}));

function report(name: string, seconds: number): FaultReport {
  const common = { receiver: 'critical', firedSeconds: seconds };
  return {
    fault: {
      name,
      description: '',
      expected: [],
      inject: () => Promise.resolve(),
      repair: () => Promise.resolve(),
    },
    alerts: [
      { ...common, alert: 'RetryStorm warning', resolvedSeconds: -4, isExpected: false },
      { ...common, alert: 'TargetDown critical', resolvedSeconds: 5, isExpected: true },
    ],
    failures: [],
  };
}

test('expected alerts come first and in bold; an early end is marked', () => {
  const table = renderMatrix(FAULTS, renderRows([report('coach down', 7)]));
  assert.match(
    table,
    /^\| coach down \| \*\*TargetDown critical\*\* \| 7 s \| critical \| 5 s \|$/m,
  );
  assert.match(table, /^\|  \| RetryStorm warning \| 7 s \| critical \| before \|$/m);
  assert.match(table, /^- \*\*queue purged\*\*: queue purged it is\.$/m);
});

test('the rows of other faults stay, in the order of the faults', () => {
  const old = renderMatrix(FAULTS, renderRows(FAULTS.map(({ name }) => report(name, 7))));
  const rows = new Map([...readRows(old), ...renderRows([report('queue purged', 90)])]);
  const table = renderMatrix(FAULTS, rows);
  assert.equal(renderMatrix(FAULTS, readRows(old)), old);
  assert.equal(table.replaceAll('90 s', '7 s'), old);
  assert.equal(table.match(/90 s/g)?.length, 2);
});
