/** Gauges over the records. Refreshed beside the scrape, never in it: a hung database must not hang Prometheus. */

import { JOB_STATES, LIVE_STATES } from '@fit/jobs';
import type { JobStore } from '@fit/jobs/store';
import type { MetricSet } from '@fit/service';
import type { DailyRunStore } from '../store/dailyRunStore.ts';

type RecordCounts = Pick<JobStore, 'countStates' | 'oldestEligible'>;
type DailyRun = Pick<DailyRunStore, 'dueBy'>;

const REFRESH_MS = 5_000;

/**
 * While the store does not answer the old figures stand, with their age beside them. One question is under way at a
 * time, however long it takes (the store's own bounds end it), so that a hung store costs no memory either.
 * @returns a function that ends the refreshing.
 */
export function recordMetrics(
  metrics: MetricSet,
  jobs: RecordCounts,
  dailyRun: DailyRun,
  refreshMs = REFRESH_MS,
): () => Promise<void> {
  const state = { isAsking: false, answeredAtMs: performance.now() };
  metrics.readAtScrape(
    'jobs_records_age_seconds',
    {},
    () => (performance.now() - state.answeredAtMs) / 1_000,
  );
  const refresh = async () => {
    if (state.isAsking) {
      metrics.add('jobs_records_refresh_failures_total', {});
      return;
    }
    state.isAsking = true;
    try {
      await refreshOnce(metrics, jobs, dailyRun);
      state.answeredAtMs = performance.now();
    } catch {
      metrics.add('jobs_records_refresh_failures_total', {});
    } finally {
      state.isAsking = false;
    }
  };
  void refresh();
  const timer = setInterval(() => void refresh(), refreshMs);
  return () => {
    clearInterval(timer);
    return Promise.resolve();
  };
}

async function refreshOnce(
  metrics: MetricSet,
  jobs: RecordCounts,
  dailyRun: DailyRun,
): Promise<void> {
  const [counts, since, dueBy] = await Promise.all([
    jobs.countStates(),
    jobs.oldestEligible(),
    dailyRun.dueBy(),
  ]);
  const ageSeconds = (date: Date | undefined) =>
    date === undefined ? 0 : Math.max(0, (Date.now() - date.getTime()) / 1_000);
  for (const state of JOB_STATES) metrics.set('jobs_by_state', { state }, counts[state] ?? 0);
  for (const state of LIVE_STATES)
    metrics.set('jobs_oldest_age_seconds', { state }, ageSeconds(since[state]));
  metrics.set('daily_run_due_timestamp_seconds', {}, (dueBy?.getTime() ?? 0) / 1_000);
  metrics.set('jobs_outbox_pending', {}, counts.pending ?? 0);
  metrics.set('jobs_outbox_oldest_age_seconds', {}, ageSeconds(since.pending));
}
