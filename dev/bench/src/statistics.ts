/** Statistics of repeated measurements. No I/O. */

/** @returns the middle value, for an even count the mean of the two middle values; 0 if there are no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? 0;
  return (lower + upper) / 2;
}

/**
 * @param share 0 to 1: 0.99 for the 99th percentile.
 * @returns the value at that position of the sorted values; 0 if there are no values.
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** @returns whole events per second; a duration below 1 ms counts as 1 ms. */
export function rate(count: number, durationMs: number): number {
  return Math.round(count / (Math.max(1, durationMs) / 1_000));
}

/** @returns the value with two decimals. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** How the values of several rounds are distributed. */
export interface Distribution {
  readonly median: number;
  readonly lowest: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
  readonly highest: number;
}

/** @param values one of each round, at least one. */
export function distributionOf(values: readonly number[]): Distribution {
  return {
    median: median(values),
    lowest: Math.min(...values),
    lowerQuartile: quantile(values, 0.25),
    upperQuartile: quantile(values, 0.75),
    highest: Math.max(...values),
  };
}
