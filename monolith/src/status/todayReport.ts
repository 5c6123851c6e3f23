/** Whether every user has today's workout: the run of the day, which users have no workout and why, and what has not reached the broker. */
import { dayIn } from '@fit/contract';
import type { RunSummary } from '@fit/jobs/store';
import Type, { type Static } from 'typebox';
import { Freshness } from '../cachedSource.ts';
import { type LiveCounts, RunStatus, runStatus } from '../runs/runStatus.ts';
import { wodRequestOf } from '../runs/wodRequest.ts';
import type { WodRunStore } from '../store/wodRunStore.ts';
import { type JobFigureSources, type JobFigures, readJobFigures } from './jobFigures.ts';

const Count = Type.Integer({ minimum: 0 });

export const Outbox = Type.Object({
  /** Jobs that the relay has not published yet. */
  pending: Count,
  /** Time since the oldest batch was recorded that is not published, or since an unfinished run recorded one. */
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
  /** Users that the run is for; while it is not known, those whose jobs are recorded. */
  total: Count,
  /** Users without a workout yet, by the state of their job. */
  missing: Type.Record(Type.String(), Count),
  run: Type.Union([RunStatus, Type.Null()]),
  outbox: Type.Union([Outbox, Type.Null()]),
});
export type TodayReport = Static<typeof TodayReport>;

export interface TodaySources extends JobFigureSources {
  readonly wodRuns: Pick<WodRunStore, 'ofDay'>;
  /** The time zone whose day is today, as an IANA name. */
  readonly timezone: string;
}

/** What the database answered about today. */
export interface TodayFacts {
  readonly date: string;
  readonly run: RunSummary | undefined;
  /** Running and waiting jobs of the run. */
  readonly live: LiveCounts;
  readonly figures: JobFigures;
}

/** Runs for everyone are read first, so a day with more runs than this leaves out only old runs for some users. */
const RUNS_READ = 50;

/** @throws StoreUnavailable, StatementRefused. */
export async function readToday(sources: TodaySources): Promise<TodayFacts> {
  const { jobs, wodRuns, timezone } = sources;
  const date = dayIn(timezone, new Date());
  const [runsOfDay, figures] = await Promise.all([
    wodRuns.ofDay(date, RUNS_READ),
    readJobFigures(sources),
  ]);
  const run = chooseRun(runsOfDay);
  const live = run?.isActive === true ? (await jobs.countIndexed(run._id)).states : {};
  return { date, run, live, figures };
}

/**
 * Chooses the run that the day is judged by: a run for everyone before any run for some users, then any before a cancelled one,
 * then the run for the most users, then the newest one. A run whose users are not counted yet may become the largest, so it counts as such.
 */
export function chooseRun(runs: readonly RunSummary[]): RunSummary | undefined {
  const size = ({ total }: RunSummary) => total ?? Number.MAX_SAFE_INTEGER;
  return runs.toSorted(
    (a, b) =>
      Number(wodRequestOf(b).isForEveryone) - Number(wodRequestOf(a).isForEveryone) ||
      Number(a.cancelledAt !== undefined) - Number(b.cancelledAt !== undefined) ||
      size(b) - size(a) ||
      b.createdAt.getTime() - a.createdAt.getTime(),
  )[0];
}

/** No I/O. Ages are those at the time of the facts. */
export function todayReport(facts: TodayFacts): Omit<TodayReport, 'freshness'> {
  const { date, run, live, figures } = facts;
  const { states, oldest, at } = figures;
  const outbox = {
    pending: states.pending,
    oldestAgeSeconds: oldest.pending === undefined ? 0 : secondsBetween(oldest.pending, at),
  };
  if (run === undefined) return { ...emptyReport(date, 'none'), outbox };
  const status = runStatus(run, at, live);
  const { done: served = 0, ...others } = status.states;
  return {
    date,
    verdict: verdictOf(status),
    served,
    total: status.total ?? status.expanded,
    missing: status.refused === 0 ? others : { ...others, refused: status.refused },
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
  if ((state !== 'finished' && state !== 'cancelled') || total === undefined) return 'running';
  return (states['done'] ?? 0) >= total ? 'served' : 'incomplete';
}

function secondsBetween(from: Date, to: Date): number {
  return Math.max(0, Math.round((to.getTime() - from.getTime()) / 100) / 10);
}
