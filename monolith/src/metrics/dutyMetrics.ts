/** What the duties' connections are doing, read at each scrape. */
import type { MetricSet } from '@fit/service';
import type { Duties } from '../backgroundTasks.ts';

/** @param duties undefined until they are open. */
export function readDuties(metrics: MetricSet, duties: () => Duties | undefined): void {
  metrics.read('amqp_connection_up', {}, () => Number(duties()?.isUp === true));
  metrics.read('amqp_connection_blocked', {}, () => Number(duties()?.isBlocked === true));
  metrics.read('jobs_publish_pending', {}, () => duties()?.pendingPublishCount ?? 0);
}
