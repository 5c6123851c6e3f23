/**
 * Goal: no panel is empty, no name in it is a mistake, and what a runbook asks is answered. Method: every query of every
 * dashboard and runbook, run by a real Prometheus that watches a real system under load, with Grafana's variables replaced
 * as Grafana would; every question to the system that a runbook tells somebody to type.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import type { Query } from '../../src/dashboards/dashboardSpec.ts';
import { DASHBOARDS } from '../../src/dashboards/dashboards.ts';
import { ANNOTATIONS, VARIABLE_QUERIES } from '../../src/dashboards/frame.ts';
import { DEFAULT_PAGES } from '../../src/index.ts';
import { type LoadedSystem, startLoadedSystem } from '../support/loadedSystem.ts';
import { metricNames } from '../support/metricNames.ts';
import { queriesIn } from '../support/queriesIn.ts';
import { RUNBOOKS } from '../support/runbook.ts';
import { PANEL_EXPRESSIONS, RULE_EXPRESSIONS, RULES } from '../support/watchedSeries.ts';

/** What Grafana makes of them with a data source interval of 5 s and an hour shown. */
const REPLACEMENTS: readonly (readonly [RegExp, string])[] = [
  [/\$__rate_interval/g, '20s'],
  [/\$__interval/g, '5s'],
  [/\$__range/g, '1h'],
  [/\$(queue|instance)\b/g, '.+'],
];

const CURL = 'curl -s ';
const RABBITMQCTL = 'docker compose exec rabbitmq rabbitmqctl ';

/** From the start of the work to the last number in a panel; generous, since the machine may be busy. */
const DEADLINE_MS = 60_000;

describe('panels and runbooks under load', () => {
  let world: LoadedSystem;
  let deadlineAt = 0;

  before(async () => {
    world = await startLoadedSystem();
    deadlineAt = Date.now() + DEADLINE_MS;
  });
  after(async () => {
    await world.stop();
  });

  /** @returns what is wrong with a query, or undefined. */
  async function fault({ expr, legend }: Query): Promise<string | undefined> {
    const to = Math.ceil(Date.now() / 1_000);
    const series = await world.prometheus.queryRange(asGrafanaAsks(expr), {
      from: world.startedAt,
      to,
      stepSeconds: 5,
    });
    if (series.length === 0) return `no series: ${expr}`;
    const values = series.flatMap((one) => one.values);
    if (values.every((value) => Number.isNaN(value))) return `only NaN: ${expr}`;
    for (const [, label = ''] of legend.matchAll(/\{\{(\w+)\}\}/g))
      if (!series.every(({ metric }) => label in metric)) return `no label ${label}: ${expr}`;
    return undefined;
  }

  for (const spec of DASHBOARDS)
    test(`${spec.uid}: each query gives a series with a number, and the labels of its legend`, async () => {
      let open = queriesIn(spec);
      const faults = async () => {
        const found = await Promise.all(open.map(async (query) => await fault(query)));
        open = open.filter((_, index) => found[index] !== undefined);
        return found.filter((one) => one !== undefined);
      };
      await eventually(async () => (await faults()).length === 0, {
        deadlineMs: Math.max(1_000, deadlineAt - Date.now()),
        describe: async () => `\n${(await faults()).join('\n')}`,
      });
    });

  test('a choice of one queue or of several is understood', async () => {
    const range = { from: world.startedAt, to: Math.ceil(Date.now() / 1_000), stepSeconds: 5 };
    // As Grafana writes several values of a variable into a regular expression.
    for (const choice of ['createWodQueue', '(createWodQueue|createWodQueue\\\\.dead)']) {
      const expr = 'queue:ready{queue=~"$queue"}'.replace('$queue', choice);
      const series = await world.prometheus.queryRange(expr, range);
      assert.equal(series.length, choice.split('|').length, expr);
    }
  });

  test('the annotations and the values to choose from are there', async () => {
    for (const { expr } of ANNOTATIONS)
      await eventually(async () => (await fault({ expr, legend: '' })) === undefined, {
        deadlineMs: Math.max(1_000, deadlineAt - Date.now()),
        describe: () => `nothing to mark: ${expr}`,
      });
    for (const query of Object.values(VARIABLE_QUERIES)) {
      const [, selector, label = ''] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? [];
      const values = await world.prometheus.labelValues(label, selector);
      assert.ok(values.length > 1, query);
    }
  });

  test('every name that panels and rules read is a series here', async () => {
    const here = new Set(await world.prometheus.labelValues('__name__'));
    const names = [...PANEL_EXPRESSIONS, ...RULE_EXPRESSIONS].flatMap(metricNames);
    const missing = names.filter((name) => !here.has(name));
    assert.deepEqual(new Set(missing), new Set());
  });

  test('every query of a runbook runs', async () => {
    const range = { from: world.startedAt, to: Math.ceil(Date.now() / 1_000), stepSeconds: 5 };
    for (const { alert, queries } of RUNBOOKS)
      for (const expr of queries)
        await assert.doesNotReject(world.prometheus.queryRange(expr, range), `${alert}: ${expr}`);
  });

  test('every question to the system that a runbook asks is answered', async () => {
    const questions = new Set(RUNBOOKS.flatMap(({ commands }) => commands).filter(isQuestion));
    assert.ok(questions.size > 15);
    for (const question of questions) {
      const answer = question.startsWith(CURL) ? await curl(question) : await ctl(question);
      assert.ok(answer !== '', question);
    }
  });

  async function curl(command: string): Promise<string> {
    const [, quoted = ''] = /(\S*localhost:\S+)$/.exec(command) ?? [];
    const url = quoted.replaceAll("'", '');
    const address = url.replace(/^localhost:(\d+)/, (_, port: string) => world.addressOf(+port));
    const isBroker = command.includes('$BROKER');
    const guest = Buffer.from('guest:guest').toString('base64');
    const authorization = isBroker ? `Basic ${guest}` : `Bearer ${world.adminToken}`;
    const ask = async () => {
      const response = await fetch(`http://${address}`, { headers: { authorization } });
      const body = await response.text();
      assert.equal(response.status, 200, `${command} answered ${response.status}: ${body}`);
      return body;
    };
    return url.endsWith('/readyz') ? await onceReady(ask) : await ask();
  }

  /** Under load a service may say once that its store was late: that is its answer, and no fault of the question. */
  async function onceReady(ask: () => Promise<string>): Promise<string> {
    return await eventually(ask, {
      deadlineMs: 30_000,
      describe: async () => await ask().catch(String),
    });
  }

  async function ctl(command: string): Promise<string> {
    return await world.rabbitmqctl(command.slice(RABBITMQCTL.length).trim().split(' '));
  }

  test('the link of every alert leads to its runbook, and the dashboards’ to all of them', async () => {
    const { consoleUrl, runbookBase } = DEFAULT_PAGES;
    const here = `http://${world.addressOf(12_100)}`;
    const read = async (url: string) => {
      assert.ok(url.startsWith(consoleUrl), url);
      const response = await fetch(url.replace(consoleUrl, here));
      assert.equal(response.status, 200, url);
      return await response.text();
    };
    for (const rule of RULES)
      if ('alert' in rule) {
        const text = await read(rule.annotations.runbook_url ?? '');
        assert.ok(text.startsWith(`# ${rule.alert}\n`), rule.alert);
      }
    assert.match(await read(runbookBase), /StoreDown/);
    assert.match(await read(`${consoleUrl}/`), /<title>/);
  });

  test('names are read out of expressions as Prometheus itself reads them', async () => {
    for (const expr of [...PANEL_EXPRESSIONS, ...RULE_EXPRESSIONS]) {
      const tree = await world.prometheus.parse(asGrafanaAsks(expr));
      assert.deepEqual(new Set(metricNames(expr)), selectorNames(tree), expr);
    }
  });
});

/** Nothing that changes anything. */
function isQuestion(command: string): boolean {
  return command.startsWith(CURL) || command.startsWith(`${RABBITMQCTL}list_`);
}

/** @returns the names of all selectors in Prometheus's tree of an expression. */
function selectorNames(tree: unknown): Set<string> {
  const names = new Set<string>();
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    if ('type' in node && String(node.type).endsWith('Selector') && 'name' in node)
      names.add(String(node.name));
    for (const child of Object.values(node)) visit(child);
  };
  visit(tree);
  return names;
}

function asGrafanaAsks(expr: string): string {
  return REPLACEMENTS.reduce((text, [pattern, value]) => text.replaceAll(pattern, value), expr);
}
