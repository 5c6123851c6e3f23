/**
 * Goal: the fill and time to full of the status are those that alerts fire on. Method: a real queue that fills steadily,
 * read by the sampler and by a real Prometheus with the generated rules.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fitTopology } from '@fit/contract';
import { nativeTargets, writeMonitoringConfig } from '@fit/prometheus';
import { freePorts, type Stack, startStack } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { createConnection, planTopology } from '@fit/topology';
import { Publisher } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import { openSampleReader, QueueSampler } from '../../src/queues/queueSampler.ts';
import { type QueueStatus, queueStatus } from '../../src/queues/queueStatus.ts';

const QUEUE = 'createWodQueue';
const LIMIT = 1_000;
const PER_SECOND = 5;
/** Both sample every five seconds, at different moments, counts that the broker renews every five seconds. */
const TOLERANCE = 0.3;

test('for a queue that fills at five messages a second, status and Prometheus agree on fill and time to full', async (t) => {
  const declaration = fitTopology({ profile: 'default', maxLength: LIMIT });
  const plan = planTopology(declaration, { version: '4.3.6', hasManagement: true });
  const name = `test-${randomUUID().slice(0, 8)}`;
  const prometheusConfigFolder = await mkdtemp(join(tmpdir(), 'fit-monitoring-'));
  t.after(() => rm(prometheusConfigFolder, { recursive: true, force: true }));
  const ports = await freePorts();
  await writeMonitoringConfig(prometheusConfigFolder, {
    declaration,
    targets: nativeTargets(ports),
  });
  const stack = await startStack({
    name,
    folder: join(tmpdir(), `fit-stack-${name}`),
    ports,
    prometheusConfigFolder,
    servers: ['rabbitmq', 'prometheus'],
  });
  t.after(() => stack.stop({ purge: true }));
  const managementUrl = withGuest(stack.managementUrl);
  const { amqpUrl } = stack;
  const publisher = await Publisher.open({
    url: amqpUrl,
    label: 'status test',
    prepare: (connection) => assertTopology(connection, declaration, { amqpUrl, managementUrl }),
  });
  t.after(() => publisher.close());
  const queueNames = plan.queues.map((queue) => queue.name);
  const connection = await createConnection({ url: amqpUrl, logger: false });
  t.after(() => connection.close());
  const depthOf = async (queue: string) => await connection.depthOf(queue);
  const sampler = new QueueSampler(
    openSampleReader({ amqpUrl, managementUrl, queueNames, depthOf }),
  );
  t.after(() => {
    sampler.stop();
  });
  const main = plan.queues.find((queue) => queue.name === QUEUE)!;
  const own = (): QueueStatus =>
    queueStatus(main, {
      samples: sampler.samples,
      oldestQueuedAt: undefined,
      pauseOf: () => undefined,
      now: new Date(),
    });

  const publishing = setInterval(() => {
    const message = { exchange: '', key: QUEUE, id: randomUUID(), body: Buffer.from('{}') };
    void publisher.publish(message);
  }, 1_000 / PER_SECOND);
  t.after(() => {
    clearInterval(publishing);
  });
  const agreed = await eventually(
    async () => {
      const prometheus = await query(stack, 'queue:fill:time_to_full_seconds');
      const { timeToFullSeconds: seconds, netPerSecond } = own();
      const isSteady = netPerSecond !== null && netPerSecond > PER_SECOND * 0.7;
      if (prometheus === undefined || seconds === null || !isSteady) return false;
      return Math.abs(seconds - prometheus) < TOLERANCE * prometheus && { seconds, prometheus };
    },
    {
      deadlineMs: 90_000,
      describe: async () =>
        `${JSON.stringify(own())} in the status, ${await query(stack, 'queue:fill:time_to_full_seconds')} in Prometheus`,
    },
  );
  t.diagnostic(
    `full in ${agreed.seconds.toFixed(0)} s in the status, ${agreed.prometheus.toFixed(0)} s in Prometheus`,
  );

  clearInterval(publishing);
  const fill = await eventually(
    async () => {
      const prometheus = await query(stack, 'queue:fill:ratio');
      return (
        prometheus !== undefined && prometheus > 0 && own().fillRatio === prometheus && prometheus
      );
    },
    {
      deadlineMs: 30_000,
      describe: async () =>
        `${own().fillRatio} in the status, ${await query(stack, 'queue:fill:ratio')} in Prometheus`,
    },
  );
  assert.equal(own().countedByLimit, Math.round(fill * LIMIT));
  assert.equal(own().limitInForce, LIMIT);
});

async function query(stack: Stack, record: string): Promise<number | undefined> {
  const url = new URL('/api/v1/query', stack.prometheusUrl);
  url.searchParams.set('query', `${record}{queue="${QUEUE}"}`);
  const { data } = (await (await fetch(url)).json()) as {
    data: { result: { value: [number, string] }[] };
  };
  const [series] = data.result;
  return series === undefined ? undefined : Number(series.value[1]);
}

function withGuest(managementUrl: string | undefined): string {
  const url = new URL(managementUrl ?? '');
  url.username = 'guest';
  url.password = 'guest';
  return url.href;
}
