/**
 * Goal: Grafana accepts the dashboards, and a person can read them. Method: the committed files, which another test compares with
 * the sources.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { DASHBOARDS } from '../../src/dashboards/renderDashboards.ts';
import { metricNames } from '../support/metricNames.ts';
import { RUNBOOKS } from '../support/runbook.ts';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: object;
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly links?: readonly { readonly url: string }[];
  readonly options?: {
    readonly color?: { readonly scheme: string; readonly fill: string; readonly steps: number };
  };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: object;
  }[];
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly editable: boolean;
  readonly panels: readonly Panel[];
  readonly links: readonly { readonly type: string; readonly url?: string }[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string }[];
  };
  readonly annotations: {
    readonly list: readonly { readonly name: string; readonly expr: string }[];
  };
}

const FILES = globSync(join(import.meta.dirname, '../../grafana/dashboards/*.json')).sort();
const FOUND = FILES.map((file) => ({
  name: basename(file, '.json'),
  dashboard: JSON.parse(readFileSync(file, 'utf8')) as Dashboard,
}));
const VARIABLE = { type: 'prometheus', uid: `\${datasource}` };

const queriesOf = ({ panels }: Dashboard) => panels.flatMap(({ targets = [] }) => targets);

test('there is one file for every dashboard, named by its uid, and no other', () => {
  assert.deepEqual(
    FOUND.map(({ name }) => name),
    DASHBOARDS.map(({ uid }) => uid).sort(),
  );
  for (const { name, dashboard } of FOUND) assert.equal(dashboard.uid, name);
  assert.equal(new Set(FOUND.map(({ dashboard }) => dashboard.title)).size, FOUND.length);
});

for (const { name, dashboard } of FOUND) {
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');

  test(`${name}: each row is a question`, () => {
    for (const { title } of dashboard.panels.filter(({ type }) => type === 'row'))
      assert.match(title, /\?$/);
  });

  test(`${name}: ids and titles are unique, rows have ids as well`, () => {
    const ids = dashboard.panels.map(({ id }) => id);
    assert.ok(ids.every((id) => id > 0));
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
  });

  test(`${name}: no panel overlaps another or leaves the grid`, () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          const cell = `${x},${y}`;
          assert.equal(taken.get(cell), undefined, `${title} lies on ${taken.get(cell) ?? ''}`);
          taken.set(cell, title);
        }
    }
  });

  test(`${name}: each panel has unit, description and queries, and uses the selected data source`, () => {
    for (const { title, description = '', ...panel } of panels) {
      assert.ok(description.length > 10, title);
      assert.ok(panel.fieldConfig?.defaults.unit, title);
      assert.deepEqual(panel.datasource, VARIABLE, title);
      const targets = panel.targets ?? [];
      assert.ok(targets.length > 0, title);
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
      for (const target of targets) {
        assert.deepEqual(target.datasource, VARIABLE, title);
        assert.ok(target.legendFormat !== '', title);
        assert.ok(metricNames(target.expr).length > 0, title);
      }
    }
  });

  test(`${name}: the lines of one panel have different names`, () => {
    for (const { title, targets = [] } of panels) {
      const names = targets.map(({ legendFormat }) => legendFormat);
      assert.equal(new Set(names).size, names.length, title);
    }
  });

  test(`${name}: each label in a legend is a label of the result`, () => {
    for (const { expr, legendFormat } of queriesOf(dashboard))
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        const labels = aggregationLabels(expr);
        assert.ok(labels === undefined || labels.includes(label), `${label} is not in ${expr}`);
      }
  });

  test(`${name}: each variable is used, and each used variable exists`, () => {
    const declared = dashboard.templating.list.map(({ name: variable }) => variable);
    assert.equal(declared[0], 'datasource');
    const texts = queriesOf(dashboard).map(({ expr }) => expr);
    const used = texts.flatMap((text) =>
      [...text.matchAll(/\$(?!__)(\w+)/g)].map(([, one]) => one),
    );
    assert.deepEqual(new Set(used), new Set(declared.slice(1)));
  });

  test(`${name}: it links to the status page and to existing runbooks, and marks deploys and alerts`, () => {
    assert.equal(dashboard.editable, false);
    assert.ok(dashboard.links.some(({ url }) => url === 'http://localhost:12100/'));
    const alerts = new Set(RUNBOOKS.map(({ alert }) => alert));
    for (const { title, links = [] } of panels)
      for (const { url } of links) assert.ok(alerts.has(basename(url, '.md')), `${title}: ${url}`);
    const [deploys, firing] = dashboard.annotations.list;
    assert.match(deploys?.expr ?? '', /app_build_info/);
    assert.match(firing?.expr ?? '', /^ALERTS/);
  });
}

test('a heat map has a scheme of colours', () => {
  const heats = FOUND.flatMap(({ dashboard }) => dashboard.panels).filter(
    ({ type }) => type === 'heatmap',
  );
  assert.ok(heats.length > 0);
  for (const { title, options } of heats) {
    assert.ok((options?.color?.steps ?? 0) > 1, title);
    assert.ok(options?.color?.scheme && options.color.fill, title);
  }
});

test('every runbook is linked from some panel', () => {
  const linked = new Set(
    FOUND.flatMap(({ dashboard }) =>
      dashboard.panels.flatMap(({ links = [] }) => links.map(({ url }) => basename(url, '.md'))),
    ),
  );
  const missing = RUNBOOKS.map(({ alert }) => alert).filter((alert) => !linked.has(alert));
  assert.deepEqual(missing, []);
});

/** @returns the labels of the outermost aggregation; undefined if there is none and all labels stay. */
function aggregationLabels(expr: string): string[] | undefined {
  if (!/^\(?(?:\d+ \* )?(?:histogram_quantile|sum|max|min|count|group)\b/.test(expr))
    return undefined;
  return /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/,\s*/) ?? [];
}
