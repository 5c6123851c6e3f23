/** Figures of several runs, made one. Pure. */

/** @returns the middle one, the upper of two; 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** @param share 0 to 1, of values in rising order. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** @returns per second, whole. */
export function rate(count: number, durationMs: number): number {
  return Math.round(count / (Math.max(1, durationMs) / 1_000));
}

/** @returns two decimals. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
