/** Is everyone served today: the day's run, what is missing and why, and what has not reached the broker. Pure. */
import type { JobState } from '@fit/jobs';
import type { RunCounts } from '@fit/jobs/store';
import Type, { type Static } from 'typebox';
import { Freshness } from '../cachedSource.ts';
import { RunStatus, runStatus } from '../runs/runStatus.ts';
import type { Run } from '../store/runStore.ts';

const Count = Type.Integer({ minimum: 0 });

export const Outbox = Type.Object({
  /** Jobs that are recorded and not yet on the broker. */
  pending: Count,
  oldestAgeSeconds: Type.Number(),
});

export const TodayReport = Type.Object({
  freshness: Freshness,
  date: Type.String(),
  /**
   * Of the run that is shown, which says itself whether it is for everyone; members who joined after it are not counted.
   * none: no run for this day. incomplete: it ended, and some have no workout. unknown: the store never answered.
   */
  verdict: Type.Enum(['served', 'running', 'incomplete', 'none', 'unknown']),
  served: Count,
  total: Count,
  /** Members without a workout yet, by the state of their job. */
  missing: Type.Record(Type.String(), Count),
  run: Type.Union([RunStatus, Type.Null()]),
  outbox: Type.Union([Outbox, Type.Null()]),
});
export type TodayReport = Static<typeof TodayReport>;

/** What the store said, as one answer. */
export interface TodayFacts {
  readonly date: string;
  readonly run: Run | undefined;
  readonly counts: RunCounts;
  readonly pendingCount: number;
  readonly oldest: Partial<Record<JobState, Date>>;
}

/**
 * Of several runs for a day one for everyone, however many the others asked for: they say nothing of the rest. Of its like
 * the one that asked for the most, then the newest. One that is being recorded may become the largest; once a newer one is
 * recorded whole, it was interrupted, and says nothing of the day.
 */
export function chooseRun(runs: readonly Run[]): Run | undefined {
  const reach = ({ isForEveryone }: Run) => (isForEveryone === true ? 1 : 0);
  const size = ({ accepted }: Run) => accepted?.total ?? Number.MAX_SAFE_INTEGER;
  return runs
    .filter((run) => run.accepted !== undefined || !runs.some((other) => isAfter(other, run)))
    .sort(
      (a, b) =>
        reach(b) - reach(a) || size(b) - size(a) || b.createdAt.getTime() - a.createdAt.getTime(),
    )[0];
}

/** Of its like, and recorded whole. */
function isAfter(other: Run, run: Run): boolean {
  const isAlike = (other.isForEveryone === true) === (run.isForEveryone === true);
  return isAlike && other.accepted !== undefined && other.createdAt > run.createdAt;
}

export function todayReport(facts: TodayFacts, now: Date): Omit<TodayReport, 'freshness'> {
  const { date, run, counts, pendingCount, oldest } = facts;
  const outbox = {
    pending: pendingCount,
    oldestAgeSeconds: oldest.pending === undefined ? 0 : secondsBetween(oldest.pending, now),
  };
  const nobody = { served: 0, total: 0, missing: {}, run: null };
  if (run === undefined) return { date, verdict: 'none', ...nobody, outbox };
  const status = runStatus(run, counts, now);
  const { done: served = 0, ...missing } = status.states;
  return {
    date,
    verdict: verdictOf(status),
    served,
    total: status.total,
    missing,
    run: status,
    outbox,
  };
}

/** Nothing that is known yet must look like good news. */
export function unknownToday(date: string): Omit<TodayReport, 'freshness'> {
  return {
    date,
    verdict: 'unknown',
    served: 0,
    total: 0,
    missing: {},
    run: null,
    outbox: null,
  };
}

function verdictOf({ state, states, total }: RunStatus): TodayReport['verdict'] {
  if (state !== 'finished') return 'running';
  return (states['done'] ?? 0) >= total ? 'served' : 'incomplete';
}

function secondsBetween(from: Date, to: Date): number {
  return Math.max(0, Math.round((to.getTime() - from.getTime()) / 100) / 10);
}
