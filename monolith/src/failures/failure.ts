/** A group of failures: the dead jobs that died of the same error. Pure. */
import type { DeadJobCount } from '@fit/jobs/store';

/**
 * - `open`: somebody must look at it. `ignored`: nobody need to, whatever follows.
 * - `resolved`: its cause is removed; a job that dies afterwards opens the group again.
 */
export const FAILURE_STATES = ['open', 'resolved', 'ignored'] as const;
export type FailureState = (typeof FAILURE_STATES)[number];

/** What is counted of the dead jobs of a group. */
export interface FailureCounts {
  /** Jobs that are dead now. */
  readonly count: number;
  /** The same by cause of death and by kind, the largest first. */
  readonly causes: readonly { readonly name: string; readonly count: number }[];
  readonly kinds: readonly { readonly name: string; readonly count: number }[];
  /** Deaths by hour, as hours since 1970, of the last 24 hours; jobs that were replayed since stay counted. */
  readonly hours: readonly { readonly hour: number; readonly count: number }[];
  /** Times of the first and the newest death that were ever seen. */
  readonly firstAt: Date;
  readonly lastAt: Date;
  /** One of the dead jobs; absent where none is dead any more. */
  readonly sample?: { readonly jobId: string; readonly reason: string };
}

export interface FailureRecord extends FailureCounts {
  /** The fingerprint, which is equal for errors that differ only in numbers and ids. */
  readonly _id: string;
  /** The database's time of the counts: an older count does not replace a newer one. */
  readonly asOf: Date;
  readonly state: FailureState;
  readonly stateAt: Date;
}

const HOUR_MS = 3_600_000;
export const TREND_HOURS = 24;

/** @returns the begin of the first of the 24 hours that end with the hour of this time. */
export function trendBegin(now: Date): Date {
  return new Date((hourOf(now) - TREND_HOURS + 1) * HOUR_MS);
}

export function hourOf(time: Date): number {
  return Math.floor(time.getTime() / HOUR_MS);
}

/** @returns what was counted of each fingerprint, the largest first. */
export function countsOf(rows: readonly DeadJobCount[]): Map<string, FailureCounts> {
  const groups = [...Map.groupBy(rows, ({ fingerprint }) => fingerprint)].map(
    ([fingerprint, ofGroup]) => [fingerprint, countGroup(ofGroup)] as const,
  );
  return new Map(groups.sort(([, a], [, b]) => b.count - a.count));
}

function countGroup(rows: readonly DeadJobCount[]): FailureCounts {
  const [first] = rows;
  return {
    count: sum(rows),
    causes: sumBy(rows, ({ cause }) => cause),
    kinds: sumBy(rows, ({ kind }) => kind),
    hours: [...Map.groupBy(rows, ({ hour }) => hour)].flatMap(([hour, some]) =>
      hour < 0 ? [] : [{ hour, count: sum(some) }],
    ),
    firstAt: new Date(Math.min(...rows.map(({ firstAt }) => firstAt.getTime()))),
    lastAt: new Date(Math.max(...rows.map(({ lastAt }) => lastAt.getTime()))),
    ...(first === undefined ? {} : { sample: { jobId: first.jobId, reason: first.reason } }),
  };
}

function sum(rows: readonly { readonly count: number }[]): number {
  return rows.reduce((total, { count }) => total + count, 0);
}

function sumBy(
  rows: readonly DeadJobCount[],
  nameOf: (row: DeadJobCount) => string,
): { name: string; count: number }[] {
  return [...Map.groupBy(rows, nameOf)]
    .map(([name, some]) => ({ name, count: sum(some) }))
    .sort((a, b) => b.count - a.count);
}

/**
 * @param before what was known; undefined: nothing.
 * @param counted what is dead now; undefined: nothing.
 * @returns what is known now: times and trend also have the jobs that are not dead any more.
 */
export function mergeCounts(
  before: FailureCounts | undefined,
  counted: FailureCounts | undefined,
  now: Date,
): FailureCounts {
  const { firstAt = now, lastAt = now } = before ?? counted ?? {};
  const hours = new Map<number, number>();
  for (const { hour, count } of [...(before?.hours ?? []), ...(counted?.hours ?? [])])
    if (hour > hourOf(now) - TREND_HOURS) hours.set(hour, Math.max(count, hours.get(hour) ?? 0));
  return {
    count: counted?.count ?? 0,
    causes: counted?.causes ?? [],
    kinds: counted?.kinds ?? [],
    hours: [...hours].map(([hour, count]) => ({ hour, count })).sort((a, b) => a.hour - b.hour),
    firstAt: counted !== undefined && counted.firstAt < firstAt ? counted.firstAt : firstAt,
    lastAt: counted !== undefined && counted.lastAt > lastAt ? counted.lastAt : lastAt,
    ...(counted?.sample === undefined ? {} : { sample: counted.sample }),
  };
}
