/** Exports the load of the worker, read at each scrape. */
import type { JobWorker, JobWorkerOptions } from '@fit/jobs';
import type { MetricSet } from '@fit/service';

/** @param worker returns undefined until the worker is open. */
export function exportWorkerGauges(
  metrics: MetricSet,
  worker: () => JobWorker | undefined,
  { concurrency, prefetchCount }: Pick<JobWorkerOptions, 'concurrency' | 'prefetchCount'>,
): void {
  // A worker cannot run more handlers than the broker delivers messages.
  metrics.set('jobs_worker_concurrency', {}, Math.min(concurrency, prefetchCount));
  metrics.readAtScrape('jobs_in_flight', {}, () => worker()?.inFlightCount ?? 0);
  metrics.readAtScrape('jobs_oldest_in_flight_seconds', {}, () => {
    const sinceMs = worker()?.oldestReceivedAtMs;
    return sinceMs === undefined ? 0 : (Date.now() - sinceMs) / 1_000;
  });
  metrics.readAtScrape('jobs_busy_seconds_total', {}, () => (worker()?.busyMs ?? 0) / 1_000);
  metrics.readAtScrape('amqp_connection_up', {}, () => Number(worker()?.isUp === true));
  metrics.readAtScrape('amqp_connection_blocked', {}, () => Number(worker()?.isBlocked === true));
  metrics.readAtScrape('jobs_publish_pending', {}, () => worker()?.pendingPublishCount ?? 0);
}
