/** The progress of a run, computed from the counters of its record, so it costs the same for a run of any size. No I/O. */
import { type EndCounts, endedCount, endsOf, isExpanded } from '@fit/jobs';
import type { RunSummary } from '@fit/jobs/store';
import Type, { type Static } from 'typebox';
import { wodRequestOf } from './wodRequest.ts';

const Count = Type.Integer({ minimum: 0 });

export const RunStatus = Type.Object(
  {
    runId: Type.String(),
    date: Type.String(),
    createdAt: Type.String(),
    /** True: the run is for every user that existed while it was recorded. */
    isForEveryone: Type.Boolean(),
    /**
     * accepting: not every job is recorded yet. finished: every job is done, dead or cancelled. cancelling: jobs of a cancelled run
     * have not ended yet; cancelled: all have.
     */
    state: Type.Enum(['accepting', 'running', 'finished', 'cancelling', 'cancelled']),
    /** Users that the run is for; absent until they are counted, exact once every job is recorded. */
    total: Type.Optional(Count),
    /** Users whose jobs are recorded and published. */
    expanded: Count,
    /** Of these: jobs that this run created. */
    created: Count,
    /** Jobs that an earlier run had created. */
    skipped: Count,
    /** Jobs that the database refused. */
    refused: Count,
    /** Jobs by state, without states that no job has; users of a cancelled run without a job count as cancelled. Where running and waiting jobs are not counted, they count as queued. */
    states: Type.Record(Type.String(), Count),
    /** Dead jobs by cause. */
    causes: Type.Record(Type.String(), Count),
    /** Ended jobs of all jobs; 0 while the total is not known. */
    percent: Type.Number(),
    /** Done jobs by the time from the request until now or until the end of the run. */
    ratePerSecond: Type.Number(),
    /** Absent while no job is done or the total is not known, and after the end of the run. */
    etaSeconds: Type.Optional(Type.Number()),
    finishedAt: Type.Optional(Type.String()),
    cancelledAt: Type.Optional(Type.String()),
    /** The run whose missing jobs this run creates. */
    rerunOf: Type.Optional(Type.String()),
  },
  { title: 'Run' },
);
export type RunStatus = Static<typeof RunStatus>;

/** Jobs that a worker or a wait queue has. */
export interface LiveCounts {
  readonly running?: number;
  readonly waiting?: number;
}

const NONE_COUNTED: LiveCounts = {};

/**
 * @param now the database's time, because the times in the record are the database's.
 * @param live numbers of running and waiting jobs; default: they are not counted.
 */
export function runStatus(run: RunSummary, now: Date, live = NONE_COUNTED): RunStatus {
  const { date, isForEveryone } = wodRequestOf(run);
  const ends = endsOf(run);
  const ended = endedCount(ends) + run.refused;
  const total = totalOf(run);
  const isFinished = hasEnded(run, ended);
  const isCancelled = run.cancelledAt !== undefined;
  const endMs = (run.finishedAt ?? now).getTime();
  const seconds = Math.max(0.001, (endMs - run.createdAt.getTime()) / 1_000);
  const ratePerSecond = Math.round((ends.done / seconds) * 10) / 10;
  const hasEta = !isFinished && !isCancelled && total !== undefined && ratePerSecond > 0;
  return {
    runId: run._id,
    date,
    createdAt: run.createdAt.toISOString(),
    isForEveryone,
    state: stateOf(run, isFinished),
    ...(total === undefined ? {} : { total }),
    expanded: run.expanded,
    created: run.created,
    skipped: run.skipped,
    refused: run.refused,
    states: statesOf(run, ends, live),
    causes: positive(ends.causes),
    percent: percentOf(total, ended + (isCancelled ? unrecordedOf(run) : 0)),
    ratePerSecond,
    ...(hasEta ? { etaSeconds: Math.ceil(Math.max(0, total - ended) / ratePerSecond) } : {}),
    ...(run.finishedAt === undefined ? {} : { finishedAt: run.finishedAt.toISOString() }),
    ...(run.cancelledAt === undefined ? {} : { cancelledAt: run.cancelledAt.toISOString() }),
    ...(run.rerunOf === undefined ? {} : { rerunOf: run.rerunOf }),
  };
}

/** Users who join or leave while the run is recorded make its first count inexact. */
function totalOf(run: RunSummary): number | undefined {
  if (run.cancelledAt !== undefined) return Math.max(run.total ?? 0, run.expanded);
  return isExpanded(run) ? run.expanded : run.total;
}

/** Users whose jobs are not recorded. */
function unrecordedOf(run: RunSummary): number {
  return (totalOf(run) ?? 0) - run.expanded;
}

function stateOf(run: RunSummary, isFinished: boolean): RunStatus['state'] {
  if (run.cancelledAt !== undefined) return isFinished ? 'cancelled' : 'cancelling';
  if (isFinished) return 'finished';
  return isExpanded(run) ? 'running' : 'accepting';
}

/** The counters show the end of a run a few seconds before the reconciler marks it; counters that are not reliable do not. */
function hasEnded(run: RunSummary, ended: number): boolean {
  if (!run.isActive) return true;
  return isExpanded(run) && run.needsRecount !== true && ended >= run.expanded;
}

function statesOf(
  run: RunSummary,
  ends: EndCounts,
  { running = 0, waiting = 0 }: LiveCounts,
): Record<string, number> {
  // Skipped jobs are under way elsewhere, and the counts are not of the same moment.
  const live = Math.max(0, run.expanded - run.refused - endedCount(ends));
  const unrecorded = unrecordedOf(run);
  const isCancelled = run.cancelledAt !== undefined;
  return positive({
    pending: isCancelled ? 0 : unrecorded,
    queued: live - running - waiting,
    running,
    waiting,
    done: ends.done,
    dead: ends.dead,
    cancelled: ends.cancelled + (isCancelled ? unrecorded : 0),
  });
}

function percentOf(total: number | undefined, ended: number): number {
  if (total === undefined) return 0;
  return total === 0 ? 100 : Math.min(100, Math.floor((ended / total) * 1_000) / 10);
}

function positive(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
