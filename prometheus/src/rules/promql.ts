/** The phrases that FIT's expressions are made of. */
import type { QueueRole } from '@fit/topology';

/** A queue's identity in every metric. A queue name alone is ambiguous as soon as there are two virtual hosts. */
export const ON_QUEUE = 'on (vhost, queue)';

/** Series of the broker's `/metrics/detailed` (families queue_coarse_metrics and queue_metrics). */
export const brokerQueueMetric = (name: string): string => `rabbitmq_detailed_queue_${name}`;

/** One series per queue, without the labels of the target: with them, a moved broker is another queue. */
export const maxByQueue = (expr: string): string => `max by (vhost, queue) (${expr})`;

/** Keeps the series of queues with that role. Only generated rules know roles; the broker does not. */
export const ofRole = (expr: string, role: QueueRole): string =>
  `${expr} and ${ON_QUEUE} queue:info{role="${role}"}`;
