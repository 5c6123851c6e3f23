/** Exports the load of the workers, read at each scrape. */
import { JOB_KINDS } from '@fit/contract';
import type { MetricSet } from '@fit/service';
import type { Workers } from '../openWorkers.ts';

/** @param workers returns undefined until the workers are open. */
export function exportWorkerGauges(metrics: MetricSet, workers: () => Workers | undefined): void {
  metrics.readAtScrape('jobs_in_flight', {}, () => workers()?.inFlightCount ?? 0);
  metrics.readAtScrape('jobs_oldest_in_flight_seconds', {}, () => {
    const sinceMs = workers()?.oldestReceivedAtMs;
    return sinceMs === undefined ? 0 : (Date.now() - sinceMs) / 1_000;
  });
  for (const { name: kind } of JOB_KINDS) {
    const ofKind = () => workers()?.ofKinds.find((each) => each.kind === kind);
    metrics.readAtScrape('jobs_worker_concurrency', { kind }, () => ofKind()?.concurrency ?? 0);
    metrics.readAtScrape(
      'jobs_busy_seconds_total',
      { kind },
      () => (ofKind()?.worker.busyMs ?? 0) / 1_000,
    );
  }
  metrics.readAtScrape('amqp_connection_up', {}, () => Number(workers()?.isUp === true));
  metrics.readAtScrape('amqp_connection_blocked', {}, () => Number(workers()?.isBlocked === true));
  metrics.readAtScrape('jobs_publish_pending', {}, () => workers()?.pendingPublishCount ?? 0);
}
