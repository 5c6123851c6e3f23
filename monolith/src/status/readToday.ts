/** Asks the store for today's run. */
import { dayIn } from '@fit/contract';
import type { JobStore } from '@fit/jobs/store';
import type { RunStore } from '../store/runStore.ts';
import { chooseRun, type TodayFacts } from './todayReport.ts';

export interface TodaySources {
  readonly jobs: Pick<JobStore, 'countRun' | 'countStates' | 'oldestEligible'>;
  readonly runs: Pick<RunStore, 'ofDay'>;
  /** Whose day it is. */
  readonly timezone: string;
}

/** Those for everyone come first: a day of more runs loses sight of old small ones alone. */
const RUNS_READ = 50;

/** @throws StoreUnavailable, StatementRefused. */
export async function readToday({ jobs, runs, timezone }: TodaySources): Promise<TodayFacts> {
  const date = dayIn(timezone, new Date());
  const [ofDay, states, oldest] = await Promise.all([
    runs.ofDay(date, RUNS_READ),
    jobs.countStates(),
    jobs.oldestEligible(),
  ]);
  const run = chooseRun(ofDay);
  const counts = run === undefined ? { states: {}, causes: {} } : await jobs.countRun(run._id);
  return { date, run, counts, pendingCount: states.pending ?? 0, oldest };
}
