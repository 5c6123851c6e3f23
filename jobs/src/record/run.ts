/** The run: one request for jobs. Its record is stored before the request is answered, and the relay expands it afterwards. */

/** Numbers of jobs that reached a final state; `causes` divides the dead ones. */
export interface EndCounts {
  readonly done: number;
  readonly dead: number;
  readonly cancelled: number;
  /** Dead jobs by cause of death. */
  readonly causes: Readonly<Record<string, number>>;
}

/** Stands for the run of a job that was enqueued alone. No run has this id, and nothing counts such jobs. */
export const NO_RUN = '-';

export const NO_ENDS: EndCounts = { done: 0, dead: 0, cancelled: 0, causes: {} };

export interface RunRecord {
  /** Made by the owner of the run, at most 100 characters without a colon or a slash; equal requests have equal ids, so they are one run. */
  readonly _id: string;
  /** What the source of the run must know: small data of the source. */
  readonly request: unknown;
  /** The items that the request names, sorted, where it names any. They may be many, so no list of runs has them. */
  readonly items?: readonly string[];
  /** Hash of the request. A repeated request has the same hash; another request under the same key has a different one. */
  readonly requestHash: string;
  readonly createdAt: Date;
  readonly traceparent?: string;
  /** The run whose missing jobs this run creates: it takes over those that died or were cancelled. */
  readonly rerunOf?: string;
  /** When somebody cancelled the run: no further job of it is recorded, and those that have not begun are cancelled. */
  readonly cancelledAt?: Date;
  /** Number of items that the run is for; absent until it is counted. Exact once the run is expanded. */
  readonly total?: number;
  /** The last item of the last recorded page; empty at first. */
  readonly cursor: string;
  /** Number of the page after that. */
  readonly nextPage: number;
  /** Number of pages; absent until the last page is recorded, or until a cancelled run is known to get no more. */
  readonly pageCount?: number;
  /** Pages whose jobs are recorded and published; pages may end out of order. */
  readonly recordedPages: number;
  /** Jobs of the recorded pages: `created` by this run, `skipped` because an earlier run had created them, `refused` by the database. */
  readonly expanded: number;
  readonly created: number;
  readonly skipped: number;
  readonly refused: number;
  /** Ends of the jobs that this run created, counted by the workers. The reconciler counts them again where they do not add up. */
  readonly ends: EndCounts;
  /** Ends of the skipped jobs, counted by the reconciler. */
  readonly skippedEnds: EndCounts;
  /** When the last page was recorded; at first the time of the request. */
  readonly progressAt: Date;
  /** True until every job has reached a final state; a replay makes it true again. */
  readonly isActive: boolean;
  readonly finishedAt?: Date;
  /** True after a count whose write may or may not have arrived; the reconciler then counts again. */
  readonly needsRecount?: boolean;
  /** The process that expands the run; empty: none. */
  readonly owner: string;
  readonly leaseUntil: Date;
  /** Raised by each new owner. A write under an older fence is refused. */
  readonly fence: number;
}

/** @returns whether every page is recorded. */
export function isExpanded({ pageCount, recordedPages }: RunRecord): boolean {
  return pageCount !== undefined && recordedPages >= pageCount;
}

/** @returns the ends of all jobs of the run; a job that the database refused has ended as well. */
export function endsOf({ ends, skippedEnds }: RunRecord): EndCounts {
  const causes: Record<string, number> = { ...ends.causes };
  for (const [cause, count] of Object.entries(skippedEnds.causes))
    causes[cause] = (causes[cause] ?? 0) + count;
  return {
    done: ends.done + skippedEnds.done,
    dead: ends.dead + skippedEnds.dead,
    cancelled: ends.cancelled + skippedEnds.cancelled,
    causes,
  };
}

/** @returns the number of jobs that have ended. */
export function endedCount({ done, dead, cancelled }: EndCounts): number {
  return done + dead + cancelled;
}

/** A request for jobs. */
export type NewRun = Pick<
  RunRecord,
  '_id' | 'request' | 'items' | 'requestHash' | 'traceparent' | 'rerunOf'
>;

/**
 * @param owner the process that expands the run; `now` and `leaseUntil` are the database's times.
 * @returns the record of a run of which nothing is expanded yet.
 */
export function newRun(
  run: NewRun,
  { owner, now, leaseUntil }: { owner: string; now: Date; leaseUntil: Date },
): RunRecord {
  return {
    ...run,
    ...(run.items === undefined ? {} : { total: run.items.length }),
    createdAt: now,
    cursor: '',
    nextPage: 0,
    recordedPages: 0,
    expanded: 0,
    created: 0,
    skipped: 0,
    refused: 0,
    ends: NO_ENDS,
    skippedEnds: NO_ENDS,
    progressAt: now,
    isActive: true,
    owner,
    leaseUntil,
    fence: 1,
  };
}
