/** The limits that the broker enforces, beside those declared: a policy changed by hand is seen nowhere else. */
import type { MetricSet } from '@fit/service';
import type { TopologyPlan } from '@fit/topology';
import type { QueueSample } from '../queues/readSample.ts';

/** @returns what takes each sample of the queues; one without the management API tells no limit, and changes nothing. */
export function exportLiveLimits(
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
      // Without a limit a queue holds what it is given, which is another limit than the declared one.
      metrics.set('jobs_queue_live_max_length', { vhost, queue }, reading.limitInForce ?? Infinity);
    }
  };
}
