/** Goal: label values stay within their bounds, and known label sets start at 0. Method: metric sets without a process. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '@fit/service';
import { Histogram, Registry } from 'prom-client';
import { type MetricDefinition, OWN_METRICS } from '../../src/metrics/metricCatalogue.ts';

const KNOWN = { kind: ['a', 'b'], mainQueue: ['q'], waitQueue: ['w1', 'w2'], queue: ['q', 'w1'] };

async function linesOf(name: string, metrics = createMetrics('coach', KNOWN)): Promise<string[]> {
  const text = await metrics.registry.metrics();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

test('every combination of known labels starts at 0', async () => {
  assert.equal((await linesOf('jobs_attempts_total')).length, 1 * 2 * 4);
  assert.deepEqual(await linesOf('jobs_retries_scheduled_total'), [
    'jobs_retries_scheduled_total{queue="w1"} 0',
    'jobs_retries_scheduled_total{queue="w2"} 0',
  ]);
  assert.equal((await linesOf('jobs_end_to_end_seconds_count')).length, 2 * 2);
});

test('a value that is not in a closed list counts as other', async () => {
  const metrics = createMetrics('coach', KNOWN);
  metrics.add('jobs_published_total', { queue: 'not declared', outcome: 'confirmed' });
  const lines = await linesOf('jobs_published_total', metrics);
  assert.ok(lines.includes('jobs_published_total{queue="other",outcome="confirmed"} 1'));
});

test('an open label has twenty values of its own; all further values are one series', async () => {
  const metrics = createMetrics('coach', KNOWN);
  for (let number = 0; number < 500; number += 1)
    metrics.add('jobs_failures_total', { kind: 'a', error_class: `Class${number}` });
  const lines = await linesOf('jobs_failures_total', metrics);
  assert.equal(lines.length, 20 + 2);
  assert.ok(lines.includes('jobs_failures_total{kind="a",error_class="other"} 480'));
});

test('adding to a metric that the process does not export changes nothing', async () => {
  const metrics = createMetrics('cron');
  metrics.add('jobs_reconciled_total', {});
  assert.deepEqual(await linesOf('jobs_reconciled_total', metrics), []);
});

test('a counter with a reader exports the value that is read at each scrape', async () => {
  const metrics = createMetrics('coach', KNOWN);
  let seconds = 2;
  metrics.readAtScrape('jobs_busy_seconds_total', { kind: 'a' }, () => seconds);
  assert.deepEqual(await linesOf('jobs_busy_seconds_total', metrics), [
    'jobs_busy_seconds_total{kind="a"} 2',
  ]);
  seconds = 5;
  assert.deepEqual(await linesOf('jobs_busy_seconds_total', metrics), [
    'jobs_busy_seconds_total{kind="a"} 5',
  ]);
});

test('a histogram exports what prom-client would export, before and after a scrape', async () => {
  const metrics = createMetrics('coach', KNOWN);
  const { buckets = [] } = OWN_METRICS.jobs_queue_wait_seconds as MetricDefinition;
  const registry = new Registry();
  const expected = new Histogram({
    name: 'jobs_queue_wait_seconds',
    help: 'help',
    labelNames: ['queue'],
    registers: [registry],
    buckets: [...buckets],
  });
  expected.zero({ queue: 'q' });
  const observe = (queue: string, value: number) => {
    metrics.observe('jobs_queue_wait_seconds', { queue }, value);
    expected.observe({ queue: queue === 'q' ? 'q' : 'other' }, value);
  };
  const seriesOf = async (from: Registry) =>
    (await from.metrics())
      .split('\n')
      .filter((line) => line.startsWith('jobs_queue_wait_seconds'))
      // The order of the additions decides about the last digit of a sum.
      .map((line) => line.replace(/\d+\.\d+$/, (sum) => Number(sum).toFixed(6)));
  for (let scrape = 1; scrape <= 3; scrape += 1) {
    for (const bound of buckets)
      for (const value of [bound, bound + 0.25]) observe(scrape === 1 ? 'q' : 'unknown', value);
    observe('q', 0);
    observe('q', 1e9);
    assert.deepEqual(
      await seriesOf(metrics.registry),
      await seriesOf(registry),
      `scrape ${scrape}`,
    );
  }
  assert.ok((await seriesOf(registry)).length > buckets.length);
  assert.throws(() => {
    metrics.observe('jobs_queue_wait_seconds', { queue: 'q' }, Number.NaN);
  }, TypeError);
});
