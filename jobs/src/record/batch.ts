/** The batch: jobs that are published together. One write for the whole batch says that the broker has confirmed them. */

/**
 * - `open`: not confirmed yet. The relay that holds its lease publishes it; open batches are the outbox.
 * - `published`: the broker confirmed every message.
 * - `ended`: none of its jobs is pending any more, so no message of it can be lost.
 * - `cleared`: the retention has deleted its jobs; the ids remain until their effects are deleted as well.
 */
export type BatchState = 'open' | 'published' | 'ended' | 'cleared';

export interface BatchRecord {
  /**
   * `<runId>:<item>` for the page of a run that begins behind that item; `<operation>:<number>` for other jobs that are
   * published again. The jobs of a batch that the broker did not take get a batch whose id has `/<fence>` before the colon. No
   * run and no operation has a colon or a slash in its id, so the first colon separates them from the item, which may be any text.
   */
  readonly _id: string;
  /** The run or the operation that made the batch. */
  readonly runId: string;
  /** Number of the page in its run; absent where jobs are published again. Only pages count for their run. */
  readonly page?: number;
  /** The items between which the page lies: after `after`, up to and including `last`. */
  readonly after?: string;
  readonly last?: string;
  readonly kind: string;
  /** True: every job is urgent, so relays take the batch before others. Absent for all others. */
  readonly isUrgent?: true;
  /** Ids of the jobs, sorted. */
  readonly ids: readonly string[];
  /** Those of them that an earlier run had created. */
  readonly skippedIds?: readonly string[];
  readonly state: BatchState;
  readonly createdAt: Date;
  readonly publishedAt?: Date;
  /** The relay that publishes the batch; empty: none. */
  readonly owner: string;
  /** Another relay may take the batch after this time; for a deferred batch also its own. */
  readonly leaseUntil: Date;
  /** Raised by each new owner. A write under an older fence is refused. */
  readonly fence: number;
  /** Why the broker did not take the messages, and how often; each time is counted at least once. */
  readonly deferred?: { readonly reason: string; readonly count: number };
  /** True: its maker created its jobs, and they belong to no run, so the retention deletes them with the batch. */
  readonly createsJobs?: true;
  /** True while the runs of the jobs still count the ends that a replay undid; the reconciler then counts these runs again. */
  readonly isUncounted?: boolean;
  /** Trace of the operation that published the jobs again. */
  readonly traceparent?: string;
}

/** Jobs in one batch at most. */
export const BATCH_LIMIT = 1_000;

/** A batch without the ids of its jobs, for work on many batches: those of single jobs may be as many as the jobs. */
export interface BatchSummary
  extends Pick<
    BatchRecord,
    '_id' | 'runId' | 'page' | 'createsJobs' | 'publishedAt' | 'isUncounted'
  > {
  readonly jobCount: number;
}

/**
 * Divides batches into groups for statements that serve several of them, in their order.
 * @returns groups of at least one batch and of at most `BATCH_LIMIT` jobs together; a batch without jobs counts as one job.
 */
export function groupBatches<Batch extends Pick<BatchSummary, 'jobCount'>>(
  batches: readonly Batch[],
): Batch[][] {
  const groups: Batch[][] = [];
  let jobCount = Infinity;
  for (const batch of batches) {
    const count = Math.max(1, batch.jobCount);
    if (jobCount + count > BATCH_LIMIT) {
      groups.push([]);
      jobCount = 0;
    }
    groups.at(-1)?.push(batch);
    jobCount += count;
  }
  return groups;
}

/**
 * @param after the item behind which the page begins; empty for the first page. The id has the position and not the number of
 * the page, so a run that another process continues leaves no item out, even if items were added or deleted in between.
 */
export function pageBatchId(runId: string, after: string): string {
  return `${runId}:${after}`;
}

/** @returns an id above those of all pages of a run, and below those of other runs. */
export function endOfPageIds(runId: string): string {
  return `${runId};`;
}

/** Id of the batch that takes over the jobs of a batch that the broker did not take. */
export function restBatchId({ _id, fence }: Pick<BatchRecord, '_id' | 'fence'>): string {
  const colon = _id.indexOf(':');
  return `${_id.slice(0, colon)}/${fence}${_id.slice(colon)}`;
}

/** @returns the page whose jobs a batch of the run has: the page itself, or the one whose rest it took over; else undefined. */
function pageIdOf(batchId: string, runId: string): string | undefined {
  const colon = batchId.indexOf(':');
  const [origin] = batchId.slice(0, colon).split('/');
  return origin === runId ? pageBatchId(runId, batchId.slice(colon + 1)) : undefined;
}

/**
 * @returns whether a job that its run created belongs to another page of the run. Pages overlap where items were added or
 * deleted before another process continued the run, and such a job must count once.
 */
export function isOnOtherPage(
  job: { readonly runId: string; readonly batch: string },
  batch: Pick<BatchRecord, '_id' | 'runId' | 'page'>,
): boolean {
  if (batch.page === undefined || job.runId !== batch.runId || job.batch === batch._id)
    return false;
  const pageId = pageIdOf(job.batch, job.runId);
  return pageId !== undefined && pageId !== batch._id;
}
