/** The progress of a run, computed from the states of its jobs. No I/O. */
import type { JobState } from '@fit/jobs';
import type { RunCounts } from '@fit/jobs/store';
import Type, { type Static } from 'typebox';
import type { Run } from '../store/runStore.ts';

const Count = Type.Integer({ minimum: 0 });

export const RunStatus = Type.Object({
  runId: Type.String(),
  date: Type.String(),
  createdAt: Type.String(),
  /** True: the run is for every user that existed when it was started. */
  isForEveryone: Type.Boolean(),
  /** accepting: not every job is recorded yet. finished: every job is done, dead or cancelled. */
  state: Type.Enum(['accepting', 'running', 'finished']),
  total: Count,
  created: Count,
  skipped: Count,
  states: Type.Record(Type.String(), Count),
  /** Dead jobs by cause. */
  causes: Type.Record(Type.String(), Count),
  percent: Type.Number(),
  ratePerSecond: Type.Number(),
  /** Absent while no job is done, and after the end of the run. */
  etaSeconds: Type.Optional(Type.Number()),
});
export type RunStatus = Static<typeof RunStatus>;

export function runStatus(run: Run, counts: RunCounts, now: Date): RunStatus {
  const count = (state: JobState) => counts.states[state] ?? 0;
  const { total, created, skipped } = run.accepted ?? recordedSoFar(counts);
  const ended = count('done') + count('dead') + count('cancelled');
  const isFinished = run.accepted !== undefined && ended >= total;
  const seconds = Math.max(0.001, (now.getTime() - run.createdAt.getTime()) / 1_000);
  const ratePerSecond = Math.round((count('done') / seconds) * 10) / 10;
  const hasEta = !isFinished && ratePerSecond > 0;
  return {
    runId: run._id,
    date: run.date,
    createdAt: run.createdAt.toISOString(),
    isForEveryone: run.isForEveryone,
    state: run.accepted === undefined ? 'accepting' : isFinished ? 'finished' : 'running',
    total,
    created,
    skipped,
    states: { ...counts.states },
    causes: counts.causes,
    percent: total === 0 ? 100 : Math.floor((ended / total) * 1_000) / 10,
    ratePerSecond,
    ...(hasEta ? { etaSeconds: Math.ceil((total - ended) / ratePerSecond) } : {}),
  };
}

/** The counts of a run that is still being accepted: only the jobs that are recorded so far are known. */
function recordedSoFar({ states }: RunCounts): NonNullable<Run['accepted']> {
  const total = Object.values(states).reduce((sum, count) => sum + count, 0);
  return { total, created: total, skipped: 0 };
}
