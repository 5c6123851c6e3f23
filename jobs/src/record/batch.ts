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
   * `<runId>:<user>` for the page of a run that begins behind that user; `<batch>.<fence>` for the jobs of a batch that the
   * broker did not take; `<operation>:<number>` for other jobs that are published again.
   */
  readonly _id: string;
  /** The run or the operation that made the batch. */
  readonly runId: string;
  /** Number of the page in its run; absent where jobs are published again. Only pages count for their run. */
  readonly page?: number;
  /** The users between which the page lies: after `after`, up to and including `last`. */
  readonly after?: string;
  readonly last?: string;
  readonly kind: string;
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
  /** True while the runs of the jobs still count the ends that a replay undid; the reconciler then counts these runs again. */
  readonly isUncounted?: boolean;
  /** Trace of the operation that published the jobs again. */
  readonly traceparent?: string;
}

/** Jobs in one batch at most. */
export const BATCH_LIMIT = 1_000;

/**
 * @param after the user behind whom the page begins; empty for the first page. The id has the position and not the number of
 * the page, so a run that another process continues leaves no user out, even if users were added or deleted in between.
 */
export function pageBatchId(runId: string, after: string): string {
  return `${runId}:${after}`;
}

/** Id of the batch that takes over the jobs of a batch that the broker did not take. No user id has a dot. */
export function restBatchId({ _id, fence }: Pick<BatchRecord, '_id' | 'fence'>): string {
  return `${_id}.${fence}`;
}

/**
 * @returns whether a job that its run created belongs to another page of the run. Pages overlap where users were added or
 * deleted before another process continued the run, and such a job must count once.
 */
export function isOnOtherPage(
  job: { readonly runId: string; readonly batch: string },
  batch: Pick<BatchRecord, '_id' | 'runId' | 'page'>,
): boolean {
  return (
    batch.page !== undefined &&
    job.runId === batch.runId &&
    job.batch !== batch._id &&
    job.batch.startsWith(`${job.runId}:`) &&
    !job.batch.startsWith(`${batch._id}.`)
  );
}
