/** Goal: panels fill lines from left to right and never overlap. Method: a few rows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PanelSpec } from '../../src/dashboards/dashboardSpec.ts';
import { layOut } from '../../src/dashboards/renderDashboards.ts';

const panel = (kind: PanelSpec['kind'], width?: number): PanelSpec => ({
  kind,
  title: 'one',
  description: 'one panel',
  unit: 'short',
  queries: [],
  ...(width === undefined ? {} : { width }),
});

test('a panel that does not fit starts a line below the highest panel of the last line', () => {
  const [row] = layOut([
    { title: 'row', panels: [panel('number'), panel('lines', 12), panel('lines', 12)] },
  ]);
  assert.deepEqual(row?.place, { x: 0, y: 0, w: 24, h: 1 });
  assert.deepEqual(
    row.panels.map(({ place }) => place),
    [
      { x: 0, y: 1, w: 4, h: 4 },
      { x: 4, y: 1, w: 12, h: 8 },
      { x: 0, y: 9, w: 12, h: 8 },
    ],
  );
});

test('a row starts below all panels of the row before', () => {
  const rows = layOut([
    { title: 'first', panels: [panel('lines', 16), panel('number', 8)] },
    { title: 'second', panels: [panel('lines')] },
  ]);
  assert.deepEqual(rows[1]?.place, { x: 0, y: 9, w: 24, h: 1 });
  assert.equal(rows[1].panels[0]?.place.y, 10);
});
