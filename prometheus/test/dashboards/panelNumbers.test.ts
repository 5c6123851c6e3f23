/**
 * Goal: a panel without data does not look healthy, and every deploy is marked. Method: the expressions of panels and annotations,
 * run by promtool on series of a system in trouble.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promtool } from '@fit/stack';
import { stringify } from 'yaml';
import { RULES_FILE } from '../../src/config/renderScrapeConfig.ts';
import { OVERVIEW } from '../../src/dashboards/overview.ts';
import { ANNOTATIONS } from '../../src/dashboards/renderDashboards.ts';
import { queriesIn } from '../support/queriesIn.ts';
import { renderedFolder } from '../support/renderedFolder.ts';

interface Case {
  /** Values of each series, one per minute, in promtool's notation. */
  readonly series: Readonly<Record<string, string>>;
  readonly expr: string;
  readonly at: string;
  /** Labels and value. */
  readonly shown: readonly (readonly [string, number])[];
  /** Default: without rules. */
  readonly hasRules?: boolean;
}

async function holds(t: TestContext, one: Case): Promise<void> {
  const cwd = await renderedFolder(t);
  const input = Object.entries(one.series).map(([series, values]) => ({ series, values }));
  const samples = one.shown.map(([labels, value]) => ({ labels, value }));
  const expectation = { expr: one.expr, eval_time: one.at, exp_samples: samples };
  const file = {
    rule_files: one.hasRules ? [RULES_FILE] : [],
    tests: [{ interval: '1m', input_series: input, promql_expr_test: [expectation] }],
  };
  await writeFile(join(cwd, 'panel.test.yml'), stringify(file));
  const { code, output } = await promtool(['test', 'rules', 'panel.test.yml'], { cwd });
  assert.equal(code, 0, output);
}

function exprOf(legend: string): string {
  const query = queriesIn(OVERVIEW).find((candidate) => candidate.legend === legend);
  assert.ok(query, legend);
  return query.expr;
}

const finished = (outcome: string) => `jobs_finished_total{instance="c",outcome="${outcome}"}`;

test('success is the share of jobs that ended well', async (t) => {
  const series = { [finished('success')]: '0+3x90', [finished('dead')]: '0+1x90' };
  const expr = exprOf('success');
  await holds(t, { series, expr, at: '90m', shown: [['{}', 0.75]], hasRules: true });
});

test('an hour in which no job ended has no success', async (t) => {
  const series = { [finished('success')]: '0+3x20 60x90', [finished('dead')]: '0x110' };
  const expr = exprOf('success');
  await holds(t, { series, expr, at: '110m', shown: [], hasRules: true });
});

test('coaches that have been gone for an hour are no success', async (t) => {
  const series = { [finished('success')]: '0+3x20', [finished('dead')]: '0x20' };
  const expr = exprOf('success');
  await holds(t, { series, expr, at: '110m', shown: [], hasRules: true });
});

const alert = (name: string, severity: string) =>
  `ALERTS{alertname="${name}",alertstate="firing",severity="${severity}"}`;

test('without alerts the number is 0 while rules are evaluated', async (t) => {
  const series = {
    [alert('Watchdog', 'none')]: '1x5',
    [`ALERTS{alertname="StoreDown",alertstate="pending",severity="critical"}`]: '1x5',
  };
  await holds(t, { series, expr: exprOf('firing'), at: '5m', shown: [['{}', 0]] });
});

test('firing alerts are counted', async (t) => {
  const series = {
    [alert('Watchdog', 'none')]: '1x5',
    [alert('QueueNearFull', 'warning')]: '1x5',
    [alert('StoreDown', 'critical')]: '1x5',
  };
  await holds(t, { series, expr: exprOf('firing'), at: '5m', shown: [['{}', 2]] });
});

test('a Prometheus without rules shows no number of alerts', async (t) => {
  const series = { 'up{job="coach"}': '1x5' };
  await holds(t, { series, expr: exprOf('firing'), at: '5m', shown: [] });
});

const build = (version: string, commit: string, instance: string) =>
  `app_build_info{job="coach",instance="${instance}",version="${version}",commit="${commit}"}`;
const [deploys] = ANNOTATIONS;

for (const [what, version, commit] of [
  ['version', '2', 'a'],
  ['commit', '1', 'b'],
] as const)
  test(`a deploy with a new ${what} is marked`, async (t) => {
    const series = {
      [build('1', 'a', 'old')]: '1x4 stale',
      [build(version, commit, 'new')]: '_x5 1x5',
    };
    const labels = `{commit="${commit}", job="coach", version="${version}"}`;
    await holds(t, { series, expr: deploys.expr, at: '5m', shown: [[labels, 1]] });
    await holds(t, { series, expr: deploys.expr, at: '7m', shown: [] });
  });

test('the same build on another instance is no deploy', async (t) => {
  const series = { [build('1', 'a', 'old')]: '1x4 stale', [build('1', 'a', 'new')]: '_x5 1x5' };
  await holds(t, { series, expr: deploys.expr, at: '5m', shown: [] });
});
