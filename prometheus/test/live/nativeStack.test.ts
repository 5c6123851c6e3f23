/**
 * Goal: the rules work on the metrics of a real broker, and a limit in the rules is the limit on the broker. Method: native broker
 * and Prometheus; the topology is asserted, and no process of FIT runs.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fitTopology } from '@fit/contract';
import { ALERTMANAGER_LOGIN, freePorts, type Stack, startStack } from '@fit/stack';
import { eventually, PrometheusApi } from '@fit/stack/testing';
import { planTopology } from '@fit/topology';
import { openSession } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import { nativeTargets, writeMonitoringConfig } from '../../src/index.ts';

describe('the native configuration on a real broker', () => {
  const name = `test-${randomUUID().slice(0, 8)}`;
  const declaration = fitTopology({ profile: 'assignment' });
  let stack: Stack;
  let configFolder: string;

  before(async () => {
    const ports = await freePorts();
    configFolder = await mkdtemp(join(tmpdir(), 'fit-monitoring-'));
    await writeMonitoringConfig(configFolder, {
      declaration,
      targets: nativeTargets(ports),
      alertmanagerLogin: ALERTMANAGER_LOGIN,
    });
    stack = await startStack({
      name,
      folder: join(tmpdir(), `fit-stack-${name}`),
      ports,
      servers: ['rabbitmq', 'prometheus', 'alertmanager'],
      prometheusConfigFolder: configFolder,
      hasPasswords: true,
    });
    const { amqpUrl } = stack;
    const managementUrl = stack.managementUrl ?? '';
    const session = await openSession({
      url: amqpUrl,
      label: 'rules test',
      setup: async (model) => {
        await assertTopology(model, declaration, { amqpUrl, managementUrl });
      },
    });
    await session.close();
  });
  after(async () => {
    await stack.stop({ purge: true });
    await rm(configFolder, { recursive: true, force: true });
  });

  test('every rule is evaluated without an error', async () => {
    const rules = await eventually(
      async () => {
        const all = await prometheusOf(stack).rules();
        return all.every(({ health }) => health !== 'unknown') && all;
      },
      { describe: () => 'rules not evaluated yet' },
    );
    assert.ok(rules.length > 20);
    assert.deepEqual(
      rules.filter(({ health }) => health !== 'ok'),
      [],
    );
  });

  test('every queue of the plan has depth, consumers and fill from the broker', async () => {
    const queues = planTopology(declaration, {
      version: '4.3.6',
      hasManagement: true,
    }).queues;
    for (const record of ['queue:ready', 'queue:unacked', 'queue:consumers', 'queue:counted'])
      await eventually(
        async () => {
          const found = new Set((await query(stack, record)).map(({ queue }) => queue));
          return queues.every(({ name: queue }) => found.has(queue));
        },
        {
          deadlineMs: 30_000,
          describe: async () => `${record}: ${JSON.stringify(await query(stack, record))}`,
        },
      );
    const main = queues.filter(({ role }) => role === 'main').map(({ name }) => name);
    const expected = JSON.stringify(main.sort().map((queue) => ({ queue, value: 0 })));
    const fill = async () => JSON.stringify(await query(stack, 'queue:fill:ratio'));
    await eventually(async () => (await fill()) === expected, {
      deadlineMs: 30_000,
      describe: async () => `${await fill()}, not ${expected}`,
    });
  });

  test('the limit in the rules is the effective one on the broker', async () => {
    const expected = JSON.stringify(await query(stack, 'queue:max_length'));
    assert.match(expected, /createWodQueue/);
    // The management API shows a policy only with the next statistics.
    await eventually(async () => JSON.stringify(await effectiveLimits(stack)) === expected, {
      deadlineMs: 30_000,
      describe: async () => `${JSON.stringify(await effectiveLimits(stack))}, not ${expected}`,
    });
  });

  test('the broker under compose has the same settings', async () => {
    const text = await readFile(join(import.meta.dirname, '../../broker/fit.conf'), 'utf8');
    for (const key of ['max_message_size', 'collect_statistics_interval', 'heartbeat']) {
      const ask = `{ok, Value} = application:get_env(rabbit, ${key}), Value.`;
      const value = (await stack.rabbitmqctl(['eval', ask, '--silent'])).trim();
      assert.ok(text.includes(`\n${key} = ${value}\n`), `${key} is ${value} natively`);
    }
  });

  test('missing processes and consumers are reported, running servers are not', async () => {
    const expected = 'NoConsumers,TargetDown,Watchdog; down: coach,monolith';
    // The first scrapes of the targets are spread over the interval.
    await eventually(async () => (await problemsOf(stack)) === expected, {
      deadlineMs: 30_000,
      describe: () => problemsOf(stack),
    });
  });

  // The Watchdog may fire before Prometheus has found Alertmanager and is then sent again only after a minute.
  test('an alert that fires reaches Alertmanager', async () => {
    await eventually(async () => (await alertsAt(stack)).includes('TargetDown'), {
      deadlineMs: 90_000,
      describe: async () => `only ${(await alertsAt(stack)).join()}`,
    });
  });
});

async function alertsAt(stack: Stack): Promise<string[]> {
  const alerts = (await askWithLogin('/api/v2/alerts', stack.alertmanagerUrl)) as {
    labels: { alertname: string };
  }[];
  return alerts.map(({ labels }) => labels.alertname);
}

/** With policies only the management API knows the limit: the argument may be absent, or the policy lower. */
async function effectiveLimits(stack: Stack): Promise<{ queue: string; value: number }[]> {
  const queues = (await askWithLogin('/api/queues/%2F', stack.managementUrl)) as {
    name: string;
    effective_policy_definition?: { 'max-length'?: number };
  }[];
  return sorted(
    queues.flatMap(({ name: queue, effective_policy_definition: policy }) =>
      policy?.['max-length'] === undefined ? [] : [{ queue, value: policy['max-length'] }],
    ),
  );
}

function sorted(rows: { queue: string; value: number }[]): { queue: string; value: number }[] {
  return rows.toSorted((a, b) => (a.queue < b.queue ? -1 : 1));
}

function prometheusOf({ prometheusUrl }: Stack): PrometheusApi {
  return new PrometheusApi(prometheusUrl ?? '');
}

/** @returns alerts pending or firing, and the jobs that are down, in alphabetical order. */
async function problemsOf(stack: Stack): Promise<string> {
  const rules = await prometheusOf(stack).rules();
  const alerts = rules.filter((rule) => (rule.alerts ?? []).length > 0).map((rule) => rule.name);
  const down = (await query(stack, 'up == 0', 'job')).map(({ queue }) => queue);
  return `${[...new Set(alerts)].sort().join()}; down: ${down.sort().join()}`;
}

async function query(
  stack: Stack,
  expr: string,
  label = 'queue',
): Promise<{ queue: string; value: number }[]> {
  const series = await prometheusOf(stack).query(expr);
  return sorted(
    series.map(({ metric, values }) => ({
      queue: metric[label] ?? '',
      value: values[0] ?? NaN,
    })),
  );
}

/** fetch refuses a URL with a login. */
async function askWithLogin(path: string, serverUrl = ''): Promise<unknown> {
  const { origin, username, password } = new URL(serverUrl);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const response = await fetch(new URL(path, origin), { headers: { authorization } });
  assert.equal(response.status, 200, `${path} answered ${response.status}`);
  return await response.json();
}
