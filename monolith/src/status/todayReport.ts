/** Whether every user has today's workout: the run of the day, which users have no workout and why, and what has not reached the broker. */
import { dayIn } from '@fit/contract';
import type { JobState } from '@fit/jobs';
import type { JobStore, RunCounts } from '@fit/jobs/store';
import Type, { type Static } from 'typebox';
import { Freshness } from '../cachedSource.ts';
import { RunStatus, runStatus } from '../runs/runStatus.ts';
import type { Run, RunStore } from '../store/runStore.ts';

const Count = Type.Integer({ minimum: 0 });

export const Outbox = Type.Object({
  /** Job records that the relay has not published yet. */
  pending: Count,
  oldestAgeSeconds: Type.Number(),
});

export const TodayReport = Type.Object({
  freshness: Freshness,
  date: Type.String(),
  /**
   * The result of the run that is shown; the run has a field for whether it is for everyone. Users who joined after it do not count.
   * none: the day has no run. incomplete: the run ended, and some users have no workout. unknown: the database never
   * answered.
   */
  verdict: Type.Enum(['served', 'running', 'incomplete', 'none', 'unknown']),
  /** Users who have their workout. */
  served: Count,
  total: Count,
  /** Users without a workout yet, by the state of their job. */
  missing: Type.Record(Type.String(), Count),
  run: Type.Union([RunStatus, Type.Null()]),
  outbox: Type.Union([Outbox, Type.Null()]),
});
export type TodayReport = Static<typeof TodayReport>;

export interface TodaySources {
  readonly jobs: Pick<JobStore, 'countRun' | 'countStates' | 'oldestEligible'>;
  readonly runs: Pick<RunStore, 'ofDay'>;
  /** The time zone whose day is today, as an IANA name. */
  readonly timezone: string;
}

/** What the database answered about today. */
export interface TodayFacts {
  readonly date: string;
  readonly run: Run | undefined;
  readonly counts: RunCounts;
  readonly pendingCount: number;
  /** The oldest job of each state. */
  readonly oldest: Partial<Record<JobState, Date>>;
}

/** Runs for everyone are read first, so a day with more runs than this leaves out only old runs for some users. */
const RUNS_READ = 50;

/** @throws StoreUnavailable, StatementRefused. */
export async function readToday({ jobs, runs, timezone }: TodaySources): Promise<TodayFacts> {
  const date = dayIn(timezone, new Date());
  const [runsOfDay, states, oldest] = await Promise.all([
    runs.ofDay(date, RUNS_READ),
    jobs.countStates(),
    jobs.oldestEligible(),
  ]);
  const run = chooseRun(runsOfDay);
  const counts = run === undefined ? { states: {}, causes: {} } : await jobs.countRun(run._id);
  return { date, run, counts, pendingCount: states.pending ?? 0, oldest };
}

/**
 * Chooses the run that the day is judged by: a run for everyone before any run for some users, then the run for the most
 * users, then the newest one. A run that is still being recorded may become the largest, so it counts as such. Once a
 * newer run of the same scope is recorded, a run that is not was interrupted, and the day is not judged by it.
 */
export function chooseRun(runs: readonly Run[]): Run | undefined {
  const size = ({ accepted }: Run) => accepted?.total ?? Number.MAX_SAFE_INTEGER;
  return runs
    .filter((run) => run.accepted !== undefined || !runs.some((other) => supersedes(other, run)))
    .sort(
      (a, b) =>
        Number(b.isForEveryone) - Number(a.isForEveryone) ||
        size(b) - size(a) ||
        b.createdAt.getTime() - a.createdAt.getTime(),
    )[0];
}

/** True if the other run has the same scope, is newer, and every job of it is recorded. */
function supersedes(other: Run, run: Run): boolean {
  return (
    other.isForEveryone === run.isForEveryone &&
    other.accepted !== undefined &&
    other.createdAt > run.createdAt
  );
}

/** No I/O. @param now moment that ages are measured at. */
export function todayReport(facts: TodayFacts, now: Date): Omit<TodayReport, 'freshness'> {
  const { date, run, counts, pendingCount, oldest } = facts;
  const outbox = {
    pending: pendingCount,
    oldestAgeSeconds: oldest.pending === undefined ? 0 : secondsBetween(oldest.pending, now),
  };
  if (run === undefined) return { ...emptyReport(date, 'none'), outbox };
  const status = runStatus(run, counts, now);
  const { done: served = 0, ...usersWithoutWorkout } = status.states;
  return {
    date,
    verdict: verdictOf(status),
    served,
    total: status.total,
    missing: usersWithoutWorkout,
    run: status,
    outbox,
  };
}

/** The report before the first answer of the database. */
export function unknownToday(date: string): Omit<TodayReport, 'freshness'> {
  return emptyReport(date, 'unknown');
}

function emptyReport(
  date: string,
  verdict: TodayReport['verdict'],
): Omit<TodayReport, 'freshness'> {
  return { date, verdict, served: 0, total: 0, missing: {}, run: null, outbox: null };
}

function verdictOf({ state, states, total }: RunStatus): TodayReport['verdict'] {
  if (state !== 'finished') return 'running';
  return (states['done'] ?? 0) >= total ? 'served' : 'incomplete';
}

function secondsBetween(from: Date, to: Date): number {
  return Math.max(0, Math.round((to.getTime() - from.getTime()) / 100) / 10);
}
