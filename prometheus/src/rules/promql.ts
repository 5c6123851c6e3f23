/** PromQL expressions that several rules share. */
import type { QueueRole } from '@fit/topology';

/** The identity of a queue in every metric: a queue name alone is ambiguous as soon as there are two virtual hosts. */
export const ON_QUEUE = 'on (vhost, queue)';

/** One series per queue, without the labels of the target: otherwise a broker that moved would look like new queues. */
export const maxByQueue = (expr: string): string => `max by (vhost, queue) (${expr})`;

/** Keeps the series of queues with that role. Only generated rules have roles; the broker exports none. */
export const ofRole = (expr: string, role: QueueRole): string =>
  `${expr} and ${ON_QUEUE} queue:info{role="${role}"}`;

/** A ratio over few events is noise, so this holds only where more than that many events happened. */
export const moreThan = (count: number, metric: string, lookback: string): string =>
  `and on () sum(increase(${metric}[${lookback}])) > ${count}`;

/** While the database does not answer, all figures over the job records are out of date. */
export const RECORDS_ARE_FRESH = 'and on () min(jobs_records_age_seconds) < 30';

/**
 * The sum of several counters of which a broker may lack some. `a + b` is empty as soon as one side is, and one selector
 * over several names fails, since the series are equal once the range function has dropped the names.
 */
export const sumOfIncreases = (selectors: readonly string[], lookback: string): string =>
  `sum by (instance) (\n  ${selectors
    .map(
      (selector, index) =>
        `label_replace(increase(${selector}[${lookback}]), "part", "${index}", "", "")`,
    )
    .join('\n  or ')}\n)`;
