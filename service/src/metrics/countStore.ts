/** Counts the events of the database client. */
import type { StoreConnection, StoreEvent } from '@fit/jobs/store';
import type { MetricSet } from './metricSet.ts';

/** @returns the listener, which must get every event. */
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

/** Exports the number of connections in the pool, read at each scrape. */
export function exportPoolGauges(
  metrics: MetricSet,
  { pool }: Pick<StoreConnection, 'pool'>,
): void {
  metrics.readAtScrape('mongodb_pool_connections', { state: 'in_use' }, () => pool.inUseCount);
  metrics.readAtScrape('mongodb_pool_connections', { state: 'idle' }, () => pool.idleCount);
  metrics.readAtScrape('mongodb_pool_connections', { state: 'pending' }, () => pool.pendingCount);
}
