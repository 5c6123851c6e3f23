/** Amounts a coach would write on the board: 12 or 15 push-ups, never 13. */
import type { Unit } from './movement.ts';

const COUNTS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 20, 24, 25, 30, 40, 50, 60, 80, 100, 120];

const NICE: Readonly<Record<Unit, readonly number[]>> = {
  reps: COUNTS,
  calories: COUNTS,
  metres: [10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400],
  seconds: [10, 15, 20, 25, 30, 40, 45, 50, 60],
};

/**
 * The largest nice amount up to `wanted` and within the range; at least `range.least`, so a caller
 * that must not exceed `wanted` checks that the least fits first.
 */
export function niceAmount(
  unit: Unit,
  wanted: number,
  range: Readonly<{ least: number; most: number }>,
): number {
  const most = Math.min(wanted, range.most);
  return Math.max(range.least, NICE[unit].findLast((amount) => amount <= most) ?? range.least);
}
