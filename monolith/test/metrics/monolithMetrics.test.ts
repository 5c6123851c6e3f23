/**
 * Goal: a scrape never waits for the database, stale figures show as stale, and the limits in force are exported. Method: a
 * database that hangs, and samples made by hand.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitTopology } from '@fit/contract';
import { createMetrics, createServiceMetrics } from '@fit/service';
import { eventually } from '@fit/stack/testing';
import { exportJobRecords, exportLimitsInForce } from '../../src/metrics/monolithMetrics.ts';
import type { QueueReading, QueueSample } from '../../src/queues/queueSampler.ts';

async function valueOf(metrics: ReturnType<typeof createMetrics>, series: string): Promise<number> {
  // A scrape that waited for a database that hangs would never end.
  const text = await metrics.registry.metrics();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
}

test('while the database hangs the scrape answers, the age grows, failures count, and one refresh is under way', async (t) => {
  const metrics = createMetrics('monolith');
  let askedCount = 0;
  const hung = () => {
    askedCount += 1;
    return new Promise<never>(() => undefined);
  };
  const stop = exportJobRecords(metrics, { readFigures: hung, dailyRun: { deadline: hung } }, 10);
  t.after(stop);
  await eventually(
    async () =>
      (await valueOf(metrics, 'jobs_records_refresh_failures_total')) > 3 &&
      (await valueOf(metrics, 'jobs_records_age_seconds')) > 0.02,
    { describe: () => metrics.registry.metrics() },
  );
  assert.equal(askedCount, 2);
  // A 0 would mean that no daily run is expected, and would end the alert on a late one.
  assert.doesNotMatch(await metrics.registry.metrics(), /^daily_run_due/m);
});

test('when the database answers again the figures are new', async (t) => {
  const metrics = createMetrics('monolith');
  const at = new Date('2026-01-05T00:00:00Z');
  let isOut = true;
  const answer = <Value>(value: Value) =>
    isOut ? Promise.reject(new Error('out')) : Promise.resolve(value);
  const stop = exportJobRecords(
    metrics,
    {
      readFigures: () =>
        answer({
          states: { pending: 3, queued: 0, running: 0, waiting: 2, done: 0, dead: 0 },
          oldest: {
            pending: new Date(at.getTime() - 60_000),
            waiting: new Date(at.getTime() + 60_000),
          },
          at,
        }),
      dailyRun: { deadline: () => answer(new Date(7_200_000)) },
    },
    10,
  );
  t.after(stop);
  await eventually(
    async () => (await valueOf(metrics, 'jobs_records_refresh_failures_total')) > 0,
    { describe: () => metrics.registry.metrics() },
  );
  assert.equal(await valueOf(metrics, 'jobs_by_state{state="pending"}'), 0);
  isOut = false;
  await eventually(async () => (await valueOf(metrics, 'jobs_by_state{state="pending"}')) === 3, {
    describe: () => metrics.registry.metrics(),
  });
  assert.equal(await valueOf(metrics, 'daily_run_due_timestamp_seconds'), 7_200);
  // By the database's clock, which may be far from this machine's.
  assert.equal(await valueOf(metrics, 'jobs_oldest_age_seconds{state="pending"}'), 60);
  assert.equal(await valueOf(metrics, 'jobs_outbox_oldest_age_seconds'), 60);
  // The wait of this job ends in a minute, so its age is 0 and not negative.
  assert.equal(await valueOf(metrics, 'jobs_oldest_age_seconds{state="waiting"}'), 0);
});

const QUEUE = 'createWodQueue';
const SERIES = /^jobs_queue_live_max_length\{vhost="\/",queue="createWodQueue"\} (\S+)$/m;

function exportOf() {
  const declaration = fitTopology({ profile: 'default' });
  const { metrics, plan } = createServiceMetrics('monolith', {
    declaration,
    vhost: '/',
    routes: [],
  });
  const take = exportLimitsInForce(metrics, plan, '/');
  const value = async () => SERIES.exec(await metrics.registry.metrics())?.[1];
  return { take, value };
}

function sample(reading: Partial<QueueReading>, source: QueueSample['source']): QueueSample {
  return { source, queues: new Map([[QUEUE, { ready: 0, consumers: 1, ...reading }]]) };
}

test('a limit in force is exported, none as infinite, and a source without limits changes nothing', async () => {
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
