/**
 * Goal: no panel is empty, every name in it exists, and the read-only commands of the runbooks work. Method: every query of every
 * dashboard and runbook on a real Prometheus that monitors a real system under load, with Grafana's variables replaced as Grafana
 * does; every read-only command of a runbook.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import type { Query } from '../../src/dashboards/dashboardSpec.ts';
import {
  ANNOTATIONS,
  DASHBOARDS,
  VARIABLE_QUERIES,
} from '../../src/dashboards/renderDashboards.ts';
import { DEFAULT_LINKS } from '../../src/index.ts';
import { type LoadedSystem, startLoadedSystem } from '../support/loadedSystem.ts';
import { metricNames } from '../support/metricNames.ts';
import { queriesIn } from '../support/queriesIn.ts';
import { RUNBOOKS } from '../support/runbook.ts';
import { PANEL_EXPRESSIONS, RULE_EXPRESSIONS, RULES } from '../support/watchedSeries.ts';

/** Grafana's values with a data source interval of 5 s and a time range of one hour. */
const REPLACEMENTS: readonly (readonly [RegExp, string])[] = [
  [/\$__rate_interval/g, '20s'],
  [/\$__interval/g, '5s'],
  [/\$__range/g, '1h'],
  [/\$(queue|instance)\b/g, '.+'],
];

const CURL = 'curl -s ';
const RABBITMQCTL = 'docker compose exec rabbitmq rabbitmqctl ';

/** From the start of the work to the last number in a panel; long, since the machine may be busy. */
const DEADLINE_MS = 60_000;

describe('panels and runbooks under load', () => {
  let loaded: LoadedSystem;
  let deadlineAt = 0;

  before(async () => {
    loaded = await startLoadedSystem();
    deadlineAt = Date.now() + DEADLINE_MS;
  });
  after(async () => {
    await loaded.stop();
  });

  /** @returns what is wrong with a query, or undefined. */
  async function fault({ expr, legend }: Query): Promise<string | undefined> {
    const to = Math.ceil(Date.now() / 1_000);
    const series = await loaded.prometheus.queryRange(replaceVariables(expr), {
      from: loaded.startedAt,
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

  test('a selection of one queue or of several works', async () => {
    const range = { from: loaded.startedAt, to: Math.ceil(Date.now() / 1_000), stepSeconds: 5 };
    // Grafana writes several values of a variable as a regular expression.
    for (const selection of ['createWodQueue', '(createWodQueue|createWodQueue\\\\.dead)']) {
      const expr = 'queue:ready{queue=~"$queue"}'.replace('$queue', selection);
      const series = await loaded.prometheus.queryRange(expr, range);
      assert.equal(series.length, selection.split('|').length, expr);
    }
  });

  test('annotations and variables have values', async () => {
    for (const { expr } of ANNOTATIONS)
      await eventually(async () => (await fault({ expr, legend: '' })) === undefined, {
        deadlineMs: Math.max(1_000, deadlineAt - Date.now()),
        describe: () => `no annotation: ${expr}`,
      });
    for (const query of Object.values(VARIABLE_QUERIES)) {
      const [, selector, label = ''] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? [];
      const values = await loaded.prometheus.labelValues(label, selector);
      assert.ok(values.length > 1, query);
    }
  });

  test('every name that panels and rules read is a series', async () => {
    const series = new Set(await loaded.prometheus.labelValues('__name__'));
    const names = [...PANEL_EXPRESSIONS, ...RULE_EXPRESSIONS].flatMap(metricNames);
    const missing = names.filter((name) => !series.has(name));
    assert.deepEqual(new Set(missing), new Set());
  });

  test('every query of a runbook runs', async () => {
    const range = { from: loaded.startedAt, to: Math.ceil(Date.now() / 1_000), stepSeconds: 5 };
    for (const { alert, queries } of RUNBOOKS)
      for (const expr of queries)
        await assert.doesNotReject(loaded.prometheus.queryRange(expr, range), `${alert}: ${expr}`);
  });

  test('every read-only command of a runbook works', async () => {
    const commands = new Set(RUNBOOKS.flatMap((runbook) => runbook.commands).filter(isReadOnly));
    assert.ok(commands.size > 10);
    for (const command of commands) {
      const answer = command.startsWith(CURL) ? await curl(command) : await ctl(command);
      assert.ok(answer !== '', command);
    }
  });

  async function curl(command: string): Promise<string> {
    const [, quoted = ''] = /(\S*localhost:\S+)$/.exec(command) ?? [];
    const url = quoted.replaceAll("'", '');
    const address = url.replace(/^localhost:(\d+)/, (_, port: string) => loaded.addressOf(+port));
    const isBroker = command.includes('$BROKER');
    const guest = Buffer.from('guest:guest').toString('base64');
    const authorization = isBroker ? `Basic ${guest}` : `Bearer ${await loaded.client.token()}`;
    const ask = async () => {
      const response = await fetch(`http://${address}`, { headers: { authorization } });
      const body = await response.text();
      assert.equal(response.status, 200, `${command} answered ${response.status}: ${body}`);
      return body;
    };
    return url.endsWith('/readyz') ? await onceReady(ask) : await ask();
  }

  /** Under load a service may report once that its database was late. */
  async function onceReady(ask: () => Promise<string>): Promise<string> {
    return await eventually(ask, {
      deadlineMs: 30_000,
      describe: async () => await ask().catch(String),
    });
  }

  async function ctl(command: string): Promise<string> {
    return await loaded.rabbitmqctl(command.slice(RABBITMQCTL.length).trim().split(' '));
  }

  test('every alert links to its runbook, and the dashboards to all runbooks', async () => {
    const { consoleUrl, runbookBase } = DEFAULT_LINKS;
    const here = `http://${loaded.addressOf(12_100)}`;
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

  test('metricNames finds the same names as Prometheus’ own parser', async () => {
    for (const expr of [...PANEL_EXPRESSIONS, ...RULE_EXPRESSIONS]) {
      const tree = await loaded.prometheus.parse(replaceVariables(expr));
      assert.deepEqual(new Set(metricNames(expr)), selectorNames(tree), expr);
    }
  });
});

function isReadOnly(command: string): boolean {
  if (command.includes(' -X ')) return false;
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

function replaceVariables(expr: string): string {
  return REPLACEMENTS.reduce((text, [pattern, value]) => text.replaceAll(pattern, value), expr);
}
