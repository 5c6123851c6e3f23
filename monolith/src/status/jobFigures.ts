/**
 * How many jobs there are in each state, and how long the oldest have waited. Everything comes from counters of active runs,
 * from batches and from the small index of jobs, so a million jobs cost no more than a thousand.
 */
import { endedCount, type ShownState } from '@fit/jobs';
import type {
  BatchStore,
  DatabaseClock,
  JobStore,
  OpenBatchCounts,
  RunStore,
  RunSummary,
  StateCounts,
} from '@fit/jobs/store';

/** The states that are counted; cancelled jobs count as done, because no index tells them apart. */
export const COUNTED_STATES = ['pending', 'queued', 'running', 'waiting', 'done', 'dead'] as const;
export type CountedState = (typeof COUNTED_STATES)[number];
/** The states in which a job waits for something. */
export const WAITING_STATES = ['pending', 'queued', 'running', 'waiting'] as const;

export interface JobFigures {
  /** `pending`: not published yet, jobs of runs that are not recorded yet included. `done` is an estimate. */
  readonly states: Readonly<Record<CountedState, number>>;
  /** Since when the oldest job of a state has waited; the end of a wait may be in the future. */
  readonly oldest: Readonly<Partial<Record<ShownState, Date>>>;
  /** The database's time of the figures. */
  readonly at: Date;
}

export interface JobFigureSources {
  readonly jobs: Pick<JobStore, 'countIndexed' | 'oldestEligible' | 'estimatedCount'>;
  readonly runs: Pick<RunStore, 'active'>;
  readonly batches: Pick<BatchStore, 'countOpen' | 'published'>;
  readonly clock: Pick<DatabaseClock, 'now'>;
  readonly kinds: readonly string[];
}

/** What the database answered. */
export interface JobFacts {
  readonly activeRuns: readonly RunSummary[];
  readonly openBatches: OpenBatchCounts;
  /** When the oldest batch that is published and has not ended was published; undefined without one. */
  readonly oldestPublishedAt: Date | undefined;
  readonly indexed: StateCounts;
  readonly oldestEligible: Readonly<Partial<Record<ShownState, Date>>>;
  readonly estimatedCount: number;
  readonly at: Date;
}

/** @throws StoreUnavailable, StatementRefused */
export async function readJobFigures(sources: JobFigureSources): Promise<JobFigures> {
  const { jobs, runs, batches, clock, kinds } = sources;
  const [activeRuns, openBatches, published, indexed, oldestEligible, estimatedCount] =
    await Promise.all([
      runs.active(),
      batches.countOpen(),
      Promise.all(kinds.map(async (kind) => await batches.published(kind, 1))),
      jobs.countIndexed(),
      jobs.oldestEligible(),
      jobs.estimatedCount(),
    ]);
  return jobFigures({
    activeRuns,
    openBatches,
    oldestPublishedAt: earliest(
      published.flatMap((of) => of.batches).map(({ publishedAt }) => publishedAt),
    ),
    indexed,
    oldestEligible,
    estimatedCount,
    at: clock.now(),
  });
}

/** No I/O. */
export function jobFigures(facts: JobFacts): JobFigures {
  const { activeRuns, openBatches, indexed, oldestEligible, estimatedCount, at } = facts;
  const { running = 0, waiting = 0, dead = 0 } = indexed.states;
  // Users whose jobs are not published yet. A run that is not counted yet is known by its open batches alone.
  const unexpanded = sum(activeRuns, ({ total = 0, expanded }) => Math.max(0, total - expanded));
  const pending = Math.max(unexpanded, openBatches.pageJobs) + openBatches.otherJobs;
  // Jobs that the broker does not have any more are in open batches that are no pages; their run still counts them.
  const live = sum(activeRuns, ({ created, ends }) => Math.max(0, created - endedCount(ends)));
  const queued = Math.max(0, live - running - waiting - openBatches.otherJobs);
  const recorded = openBatches.pageJobs + openBatches.otherJobs + queued + running + waiting + dead;
  const outboxAt = earliest([openBatches.oldestAt, ...activeRuns.map(waitingSince)]);
  return {
    states: {
      pending,
      queued,
      running,
      waiting,
      done: Math.max(0, estimatedCount - recorded),
      dead,
    },
    oldest: {
      ...oldestEligible,
      ...(outboxAt === undefined ? {} : { pending: outboxAt }),
      ...(facts.oldestPublishedAt === undefined ? {} : { queued: facts.oldestPublishedAt }),
    },
    at,
  };
}

/** @returns since when no page of a run was recorded, for a run that is not expanded. */
function waitingSince({ pageCount, progressAt }: RunSummary): Date | undefined {
  return pageCount === undefined ? progressAt : undefined;
}

function earliest(dates: readonly (Date | undefined)[]): Date | undefined {
  const times = dates.flatMap((date) => (date === undefined ? [] : [date.getTime()]));
  return times.length === 0 ? undefined : new Date(times.reduce((a, b) => Math.min(a, b)));
}

function sum<Item>(items: readonly Item[], count: (item: Item) => number): number {
  return items.reduce((total, item) => total + count(item), 0);
}
