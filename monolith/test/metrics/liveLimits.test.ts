/** Goal: what the broker enforces is exported as such, and nothing where it is not told. Method: samples by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitTopology } from '@fit/contract';
import { createServiceMetrics } from '@fit/service';
import { exportLiveLimits } from '../../src/metrics/liveLimits.ts';
import type { QueueReading, QueueSample } from '../../src/queues/readSample.ts';

const QUEUE = 'createWodQueue';
const SERIES = /^jobs_queue_live_max_length\{vhost="\/",queue="createWodQueue"\} (\S+)$/m;

function exportOf() {
  const declaration = fitTopology({ profile: 'default' });
  const { metrics, plan } = createServiceMetrics('monolith', {
    declaration,
    vhost: '/',
    routes: [],
  });
  const take = exportLiveLimits(metrics, plan, '/');
  const value = async () => SERIES.exec(await metrics.registry.metrics())?.[1];
  return { take, value };
}

function sample(reading: Partial<QueueReading>, source: QueueSample['source']): QueueSample {
  return { source, queues: new Map([[QUEUE, { ready: 0, consumers: 1, ...reading }]]) };
}

test('the limit in force; none is infinite; a source that does not tell changes nothing', async () => {
  const { take, value } = exportOf();
  assert.equal(await value(), undefined);
  take(sample({}, 'amqp'));
  assert.equal(await value(), undefined);
  take(sample({ limitInForce: 150 }, 'management'));
  assert.equal(await value(), '150');
  take(sample({}, 'amqp'));
  assert.equal(await value(), '150');
  take(sample({}, 'management'));
  assert.equal(await value(), '+Inf');
});
