/** Gauges of the background tasks' broker connections, read at each scrape. */
import type { MetricSet } from '@fit/service';
import type { BackgroundTasks } from '../backgroundTasks.ts';

/** @param tasks undefined until the background tasks are started. */
export function readBackgroundTasks(
  metrics: MetricSet,
  tasks: () => BackgroundTasks | undefined,
): void {
  metrics.readAtScrape('amqp_connection_up', {}, () => Number(tasks()?.isUp === true));
  metrics.readAtScrape('amqp_connection_blocked', {}, () => Number(tasks()?.isBlocked === true));
  metrics.readAtScrape('jobs_publish_pending', {}, () => tasks()?.pendingPublishCount ?? 0);
}
