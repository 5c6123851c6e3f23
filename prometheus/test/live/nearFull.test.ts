/**
 * Goal: the warning comes at least a minute before a queue is full, and a burst that is too fast for a forecast is reported at once.
 * Method: production windows on a real broker, Prometheus and Alertmanager; three queues with a consumer each that is slower than
 * the publisher; the moment at which a notification reaches a webhook counts.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePorts, type Stack, startStack } from '@fit/stack';
import { AlertSink, eventually, PrometheusApi } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { nativeTargets, writeMonitoringConfig } from '../../src/index.ts';
import { type Flow, type FlowEnd, openFlow } from '../support/flow.ts';

const LEAD_MS = 60_000;
const BURST_ALERT_MS = 15_000;
/** The slowest queue is full after 100 s. */
const FULL_WITHIN_MS = 140_000;

const declaration = declareTopology({
  exchange: 'flow',
  kinds: {
    slow: { key: 'flow.slow', queue: 'slowQueue', tiers: ['5s'], maxLength: 100 },
    fast: { key: 'flow.fast', queue: 'fastQueue', tiers: ['5s'], maxLength: 1_000 },
    burst: { key: 'flow.burst', queue: 'burstQueue', tiers: ['5s'], maxLength: 300 },
  },
});

const GUEST = { username: 'guest', password: 'guest' };
const name = `test-${randomUUID().slice(0, 8)}`;
const folder = join(tmpdir(), `fit-stack-${name}`);

describe('near full', () => {
  let sink: AlertSink;
  let stack: Stack;
  let configFolder: string;
  let flow: Flow;

  before(async () => {
    const ports = await freePorts();
    sink = await AlertSink.open();
    configFolder = await mkdtemp(join(tmpdir(), 'fit-monitoring-'));
    const [criticalUrl, warningUrl] = [sink.urlOf('critical'), sink.urlOf('warning')];
    const options = { declaration, targets: nativeTargets(ports) };
    await writeMonitoringConfig(configFolder, {
      ...options,
      receivers: { critical: { webhookUrl: criticalUrl }, warning: { webhookUrl: warningUrl } },
    });
    stack = await startStack({
      name,
      folder,
      ports,
      prometheusConfigFolder: configFolder,
      servers: ['rabbitmq', 'alertmanager', 'prometheus'],
    });
    const managementUrl = Object.assign(new URL(stack.managementUrl ?? ''), GUEST).href;
    const metricsPort = ports.monolithMetrics;
    flow = await openFlow({ stack, managementUrl, declaration, metricsPort });
    await eventually(() => isWatched(stack), {
      deadlineMs: 60_000,
      describe: () => 'fill or the publisher are not in Prometheus yet',
    });
  });
  after(async () => {
    await flow.close();
    await stack.stop({ purge: true });
    await sink.close();
    await rm(configFolder, { recursive: true, force: true });
  });

  const firstNotification = (queue: string) =>
    sink.notifications.find(
      ({ labels, status }) =>
        status === 'firing' && labels['queue'] === queue && labels['alertname'] === 'QueueNearFull',
    );

  const overflows = [
    { kind: 'slow', publishPerSecond: 3, consumePerSecond: 2, limit: 100 },
    { kind: 'fast', publishPerSecond: 30, consumePerSecond: 20, limit: 1_000 },
  ] as const;

  // At the same time, since each takes as long as its queue takes to fill.
  test('a steady rise is reported a minute before the queue is full, a burst at once', {
    concurrency: true,
  }, async (t) => {
    const steady = overflows.map((overflow) =>
      t.test(
        `${overflow.publishPerSecond - overflow.consumePerSecond} per second into ${overflow.limit}`,
        async (t) => {
          const queue = `${overflow.kind}Queue`;
          const ends = await flow.run({ ...overflow, deadlineMs: FULL_WITHIN_MS });
          const warning = firstNotification(queue);
          assert.ok(warning !== undefined, `full after ${secondsOf(ends)} s without a warning`);
          const leadMs = ends.fullAt - warning.at;
          t.diagnostic(
            `full after ${secondsOf(ends)} s; QueueNearFull at the webhook ${(leadMs / 1_000).toFixed(1)} s before`,
          );
          assert.ok(leadMs >= LEAD_MS, `only ${leadMs} ms ahead`);
        },
      ),
    );
    const burst = t.test('300 in 5 s into 300', async (t) => {
      const options = { kind: 'burst', publishPerSecond: 65, consumePerSecond: 1 } as const;
      const ends = await flow.run({ ...options, deadlineMs: 20_000 });
      const reported = await eventually(() => firstNotification('burstQueue'), {
        deadlineMs: 30_000,
        describe: () => JSON.stringify(sink.notifications),
      });
      const delayMs = reported.at - ends.fullAt;
      t.diagnostic(
        `full after ${secondsOf(ends)} s; QueueNearFull at the webhook ${(delayMs / 1_000).toFixed(1)} s later`,
      );
      assert.ok(delayMs <= BURST_ALERT_MS, `${delayMs} ms`);
    });
    await Promise.all([...steady, burst]);
  });
});

/** True once Prometheus has the fill of all three queues and the counters of the publisher. */
async function isWatched({ prometheusUrl }: Stack): Promise<boolean> {
  const query = 'count(queue:fill:ratio) + on () count(up{job="monolith"} == 1)';
  const [series] = await new PrometheusApi(prometheusUrl ?? '').query(query);
  return series?.values[0] === 4;
}

function secondsOf({ startedAt, fullAt }: FlowEnd): string {
  return ((fullAt - startedAt) / 1_000).toFixed(1);
}
