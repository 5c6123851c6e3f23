/** Goal: a scrape never waits for the store, and stale figures are seen to be stale. Method: a store that never answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '@fit/service';
import { eventually } from '@fit/stack/testing';
import { recordMetrics } from '../../src/metrics/recordMetrics.ts';

const DEADLINE_MS = 1_000;

async function valueOf(metrics: ReturnType<typeof createMetrics>, series: string): Promise<number> {
  const startedAt = performance.now();
  const text = await metrics.registry.metrics();
  assert.ok(performance.now() - startedAt < DEADLINE_MS, 'the scrape waited');
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
}

test('a store that hangs: the scrape answers, the age grows, failures count, one question is open', async (t) => {
  const metrics = createMetrics('monolith');
  let askedCount = 0;
  const hung = () => {
    askedCount += 1;
    return new Promise<never>(() => undefined);
  };
  const stop = recordMetrics(
    metrics,
    { countStates: hung, oldestEligible: hung },
    { dueBy: hung },
    10,
  );
  t.after(stop);
  await eventually(
    async () =>
      (await valueOf(metrics, 'jobs_records_refresh_failures_total')) > 3 &&
      (await valueOf(metrics, 'jobs_records_age_seconds')) > 0.02,
    { describe: () => metrics.registry.metrics() },
  );
  assert.equal(askedCount, 3);
  // A 0 would say that no daily run is expected, and end the alert on one that is late.
  assert.doesNotMatch(await metrics.registry.metrics(), /^daily_run_due/m);
});

test('a store that answers again: new figures, and the age begins anew', async (t) => {
  const metrics = createMetrics('monolith');
  let isOut = true;
  const answer = <Value>(value: Value) =>
    isOut ? Promise.reject(new Error('out')) : Promise.resolve(value);
  const stop = recordMetrics(
    metrics,
    {
      countStates: () => answer({ pending: 3, waiting: 2 }),
      oldestEligible: () =>
        answer({ pending: new Date(Date.now() - 60_000), waiting: new Date(Date.now() + 60_000) }),
    },
    { dueBy: () => answer(new Date(7_200_000)) },
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
  const pendingAge = await valueOf(metrics, 'jobs_oldest_age_seconds{state="pending"}');
  assert.ok(pendingAge >= 60 && pendingAge < 70, String(pendingAge));
  // Its wait ends in a minute: it is not late, and its age is not below 0.
  assert.equal(await valueOf(metrics, 'jobs_oldest_age_seconds{state="waiting"}'), 0);
});
