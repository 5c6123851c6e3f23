/** The database client's events → metrics. */
import type { StoreConnection, StoreEvent } from '@fit/jobs/store';
import type { MetricSet } from './metricSet.ts';

/** @returns the listener that counts; pass it every event. */
export function countStore(metrics: MetricSet): (event: StoreEvent) => void {
  return (event) => {
    if (event.type === 'checkoutFailed') {
      metrics.add('mongodb_pool_checkout_failures_total', {});
      return;
    }
    const { command, outcome, durationMs } = event;
    metrics.observe('mongodb_command_duration_seconds', { command, outcome }, durationMs / 1_000);
  };
}

/** The pool's connections, read at each scrape. */
export function exportPoolGauges(
  metrics: MetricSet,
  { pool }: Pick<StoreConnection, 'pool'>,
): void {
  metrics.readAtScrape('mongodb_pool_connections', { state: 'in_use' }, () => pool.inUseCount);
  metrics.readAtScrape('mongodb_pool_connections', { state: 'idle' }, () => pool.idleCount);
  metrics.readAtScrape('mongodb_pool_connections', { state: 'pending' }, () => pool.pendingCount);
}
