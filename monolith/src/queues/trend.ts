/** Rates and forecasts of a queue. No I/O; the formulas are those of the recording rules, so the page and the alerts agree. */

export interface Point {
  readonly atMs: number;
  readonly value: number;
}

/** The time window of all rates. The recording rules of prometheus/src/rules use the same minute. */
export const WINDOW_MS = 60_000;

/** A queue that grows more slowly than this gets no forecast: messages per second, as in prometheus/src/rules. */
const FILLING_PER_SECOND = 0.05;

/**
 * The least-squares slope, which is what `deriv` of Prometheus computes.
 * @returns change per second; undefined if fewer than two moments are known.
 */
export function slopePerSecond(points: readonly Point[]): number | undefined {
  const [first] = points;
  if (first === undefined) return undefined;
  // Times count from the first point: squares of times since 1970 would lose the precision.
  const seconds = points.map(({ atMs }) => (atMs - first.atMs) / 1_000);
  const meanSeconds = mean(seconds);
  const meanValue = mean(points.map(({ value }) => value));
  let covariance = 0;
  let variance = 0;
  points.forEach(({ value }, index) => {
    const offset = (seconds[index] ?? 0) - meanSeconds;
    covariance += offset * (value - meanValue);
    variance += offset * offset;
  });
  return variance === 0 ? undefined : covariance / variance;
}

/** unknown: fewer than two samples. notFilling: also where the queue falls. */
export const FILL_TRENDS = ['filling', 'notFilling', 'unknown'] as const;

export function fillTrendOf(slope: number | undefined): (typeof FILL_TRENDS)[number] {
  if (slope === undefined) return 'unknown';
  return slope > FILLING_PER_SECOND ? 'filling' : 'notFilling';
}

/** @returns seconds until the limit is reached at this slope, 0 if it is reached; undefined if the queue is not filling. */
export function timeToFullSeconds(
  queue: { readonly counted: number; readonly limit: number },
  slope: number | undefined,
): number | undefined {
  if (slope === undefined || fillTrendOf(slope) !== 'filling') return undefined;
  return Math.max(0, queue.limit - queue.counted) / slope;
}

/** @returns the mean change per second from the first point to the last; undefined if there are no two moments. */
export function growthPerSecond(points: readonly Point[]): number | undefined {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return undefined;
  return ((last.value - first.value) / (last.atMs - first.atMs)) * 1_000;
}

/** @returns the rate of a counter; undefined if the counter was reset in between, as a restart of the broker does. */
export function ratePerSecond(points: readonly Point[]): number | undefined {
  const wasReset = points.some(({ value }, index) => value < (points[index - 1]?.value ?? value));
  return wasReset ? undefined : growthPerSecond(points);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
