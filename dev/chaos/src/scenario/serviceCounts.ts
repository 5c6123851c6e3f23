/** What the services counted, from their metrics. */
import { type MetricsPage, sumOf } from '../metricsPage.ts';

/** @returns how many attempts ended on these coaches since they were started. */
export function attemptsOn(coaches: readonly MetricsPage[]): number {
  return sumOf(coaches, 'jobs_attempts_total');
}

/** @returns how many jobs these monoliths took for lost and published again since they were started. */
export function reconciledBy(monoliths: readonly MetricsPage[]): number {
  return sumOf(monoliths, 'jobs_reconciled_total');
}
