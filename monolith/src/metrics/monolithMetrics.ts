/** Gauges that only the monolith exports: its connections to the broker, the limits in force there, the job records. */
import type { BackgroundTasks } from '@fit/jobs';
import type { MetricSet } from '@fit/service';
import type { TopologyPlan } from '@fit/topology';
import type { QueueSample } from '../queues/queueSampler.ts';
import { COUNTED_STATES, type JobFigures, WAITING_STATES } from '../status/jobFigures.ts';
import type { DailyRunStore } from '../store/dailyRunStore.ts';

/** @param tasks returns undefined until the background tasks are started. */
export function exportBackgroundTasks(
  metrics: MetricSet,
  tasks: () => BackgroundTasks | undefined,
): void {
  metrics.readAtScrape('amqp_connection_up', {}, () => Number(tasks()?.isUp === true));
  metrics.readAtScrape('amqp_connection_blocked', {}, () => Number(tasks()?.isBlocked === true));
  metrics.readAtScrape('jobs_publish_pending', {}, () => tasks()?.pendingPublishCount ?? 0);
}

/**
 * Exports the limits that the broker enforces, beside the declared ones: a policy that somebody changed by hand shows
 * nowhere else.
 * @returns a listener for samples of the queues. A sample that was read without the management API changes nothing, since
 * AMQP does not report limits.
 */
export function exportLimitsInForce(
  metrics: MetricSet,
  plan: TopologyPlan,
  vhost: string,
): (sample: QueueSample) => void {
  const limited = plan.queues.filter(({ maxLength }) => maxLength !== undefined);
  return ({ source, queues }) => {
    if (source !== 'management') return;
    for (const { name: queue } of limited) {
      const reading = queues.get(queue);
      if (reading === undefined) continue;
      // No limit in force is exported as infinite: it differs from the declared limit, so the drift alert fires.
      metrics.set('jobs_queue_live_max_length', { vhost, queue }, reading.limitInForce ?? Infinity);
    }
  };
}

export interface JobRecordSources {
  readonly readFigures: () => Promise<JobFigures>;
  readonly dailyRun: Pick<DailyRunStore, 'deadline'>;
}

const RECORDS_REFRESH_MS = 5_000;

/**
 * Exports counts and ages of the job records. They are refreshed beside the scrape and never in it, so a database that
 * hangs does not hang Prometheus. While the database does not answer, the last figures stay, with their age. One refresh
 * is under way at a time, so a hung database costs no memory either.
 * @param refreshMs milliseconds between two refreshes; default 5,000.
 * @returns a function that ends the refreshing.
 */
export function exportJobRecords(
  metrics: MetricSet,
  sources: JobRecordSources,
  refreshMs = RECORDS_REFRESH_MS,
): () => void {
  const state = { isRefreshing: false, refreshedAtMs: performance.now() };
  metrics.readAtScrape(
    'jobs_records_age_seconds',
    {},
    () => (performance.now() - state.refreshedAtMs) / 1_000,
  );
  const refresh = async () => {
    if (state.isRefreshing) {
      metrics.add('jobs_records_refresh_failures_total', {});
      return;
    }
    state.isRefreshing = true;
    try {
      await setRecordGauges(metrics, sources);
      state.refreshedAtMs = performance.now();
    } catch {
      metrics.add('jobs_records_refresh_failures_total', {});
    } finally {
      state.isRefreshing = false;
    }
  };
  void refresh();
  const timer = setInterval(() => void refresh(), refreshMs);
  return () => {
    clearInterval(timer);
  };
}

async function setRecordGauges(
  metrics: MetricSet,
  { readFigures, dailyRun }: JobRecordSources,
): Promise<void> {
  const [{ states, oldest, at }, dueBy] = await Promise.all([readFigures(), dailyRun.deadline()]);
  const ageSeconds = (date: Date | undefined) =>
    date === undefined ? 0 : Math.max(0, (at.getTime() - date.getTime()) / 1_000);
  for (const state of COUNTED_STATES) metrics.set('jobs_by_state', { state }, states[state]);
  for (const state of WAITING_STATES)
    metrics.set('jobs_oldest_age_seconds', { state }, ageSeconds(oldest[state]));
  metrics.set('daily_run_due_timestamp_seconds', {}, (dueBy?.getTime() ?? 0) / 1_000);
  metrics.set('jobs_outbox_pending', {}, states.pending);
  metrics.set('jobs_outbox_oldest_age_seconds', {}, ageSeconds(oldest.pending));
}
