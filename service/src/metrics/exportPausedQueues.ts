/** Exports which main queues are paused, so that their alerts say so instead of reporting a fault. */
import type { TopologyPlan } from '@fit/topology';
import type { Settings } from '../settings/settings.ts';
import type { MetricSet } from './metricSet.ts';

export function exportPausedQueues(
  metrics: MetricSet,
  settings: Pick<Settings, 'watch' | 'pauseOf'>,
  { plan, vhost }: { readonly plan: TopologyPlan; readonly vhost: string },
): void {
  const queues = plan.kinds.map(({ queue }) => queue);
  settings.watch(() => {
    for (const queue of queues)
      metrics.set(
        'jobs_queue_paused',
        { vhost, queue },
        Number(settings.pauseOf(queue) !== undefined),
      );
  });
}
