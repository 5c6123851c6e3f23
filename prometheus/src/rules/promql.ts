/** The phrases that FIT's expressions are made of. */
import type { QueueRole } from '@fit/topology';

/** A queue's identity in every metric. A queue name alone is ambiguous as soon as there are two virtual hosts. */
export const ON_QUEUE = 'on (vhost, queue)';

/** Series of the broker's `/metrics/detailed` (families queue_coarse_metrics and queue_metrics). */
export const brokerQueueMetric = (name: string): string => `rabbitmq_detailed_queue_${name}`;

/** Series of the broker's `/metrics`: all virtual hosts together, at 0 from its start. */
export const brokerMetric = (name: string): string => `rabbitmq_global_messages_${name}`;

/** One series per queue, without the labels of the target: with them, a moved broker is another queue. */
export const maxByQueue = (expr: string): string => `max by (vhost, queue) (${expr})`;

/** One series per process or node: the labels that name a protocol or a queue type are summed away. */
export const increaseByInstance = (metric: string, range: string): string =>
  `sum by (instance) (increase(${metric}[${range}]))`;

/** Keeps the series of queues with that role. Only generated rules know roles; the broker does not. */
export const ofRole = (expr: string, role: QueueRole): string =>
  `${expr} and ${ON_QUEUE} queue:info{role="${role}"}`;

/** A ratio over few events is noise: holds only where more than that many happened. */
export const moreThan = (count: number, metric: string, range: string): string =>
  `and on () sum(increase(${metric}[${range}])) > ${count}`;

/** While the store does not answer, all figures over the records are history. */
export const RECORDS_ARE_FRESH = 'and on () min(jobs_records_age_seconds) < 30';

/**
 * The sum of several counters that a broker may know in part. Not `a + b`, which is empty as soon as one side is; nor one
 * selector over several names, whose series are the same once the range function has dropped the names.
 */
export const sumOfIncreases = (selectors: readonly string[], range: string): string =>
  `sum by (instance) (\n  ${selectors
    .map(
      (selector, index) =>
        `label_replace(increase(${selector}[${range}]), "part", "${index}", "", "")`,
    )
    .join('\n  or ')}\n)`;
