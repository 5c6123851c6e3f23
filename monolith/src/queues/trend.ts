/** Where a queue is heading. Pure, and by the formulas of the recording rules, so that page and alerts agree. */

export interface Point {
  readonly atMs: number;
  readonly value: number;
}

export const WINDOW_MS = 60_000;

/** Below this a queue drifts rather than fills: messages per second, as in prometheus/src/rules/queueRecords.ts. */
const FILLING_PER_SECOND = 0.05;

/**
 * The least-squares slope, as Prometheus' `deriv` has it.
 * @returns change per second; undefined where fewer than two moments are known.
 */
export function slopePerSecond(points: readonly Point[]): number | undefined {
  const [first] = points;
  if (first === undefined) return undefined;
  // From the first point on: squares of times since 1970 would cost the precision.
  const seconds = points.map(({ atMs }) => (atMs - first.atMs) / 1_000);
  const meanSeconds = mean(seconds);
  const meanValue = mean(points.map(({ value }) => value));
  const [covariance, variance] = points.reduce(
    ([together, alone], { value }, index) => {
      const offset = (seconds[index] ?? 0) - meanSeconds;
      return [together + offset * (value - meanValue), alone + offset * offset];
    },
    [0, 0],
  );
  return variance === 0 ? undefined : covariance / variance;
}

/** @returns seconds until the limit at this pace, 0 where it is reached; undefined where nothing fills. */
export function timeToFullSeconds(
  queue: { readonly counted: number; readonly limit: number },
  slope: number | undefined,
): number | undefined {
  if (slope === undefined || slope <= FILLING_PER_SECOND) return undefined;
  return Math.max(0, queue.limit - queue.counted) / slope;
}

/** @returns the mean change per second from the first point to the last; undefined where there are no two. */
export function growthPerSecond(points: readonly Point[]): number | undefined {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return undefined;
  return ((last.value - first.value) / (last.atMs - first.atMs)) * 1_000;
}

/** @returns a counter's growth; undefined also where it began anew in between, as with a restarted broker. */
export function ratePerSecond(points: readonly Point[]): number | undefined {
  const hasBegunAnew = points.some(
    ({ value }, index) => value < (points[index - 1]?.value ?? value),
  );
  return hasBegunAnew ? undefined : growthPerSecond(points);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
