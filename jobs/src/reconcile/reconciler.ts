/**
 * The reconciler keeps records true that nobody else completes: it ends batches, finishes runs and counts them again, and
 * publishes jobs again that the broker has lost (a purge, a wiped disk, a deleted exchange). One process at a time runs its
 * rounds, under a lease.
 */
import { type Declaration, longestWaitMs } from '@fit/topology';
import type { QueueDepth } from '@fit/topology/amqp';
import type { JobListener } from '../jobEvent.ts';
import { type BatchRecord, type BatchSummary, groupBatches } from '../record/batch.ts';
import type { JobStores } from '../store/jobStores.ts';
import type { JobTracer } from '../trace/jobTracer.ts';
import { LostJobs } from './lostJobs.ts';
import { RunCounter } from './runCounter.ts';

export interface ReconcilerOptions {
  readonly declaration: Declaration;
  /** Stores for background tasks: their statements end before the lease does. */
  readonly stores: JobStores;
  /** @returns the ready messages and the consumers of a queue, from the broker. @throws where the broker does not answer. */
  readonly depthOf: (queue: string) => Promise<QueueDepth>;
  /** A job without a change for longer is stale, in milliseconds. */
  readonly staleAfterMs: number;
  /**
   * A job is lost, and a run is counted again, only if two rounds this far apart find the same, in milliseconds; default
   * `CONFIRM_MS`.
   */
  readonly confirmMs?: number;
  /**
   * A round begins no further work on batches after this time, shared by the kinds, and none on runs after this time again; in
   * milliseconds, default 2,000.
   */
  readonly budgetMs?: number;
  /** A clock in milliseconds that is never set; default `performance.now`. */
  readonly nowMs?: () => number;
  readonly onEvent: JobListener;
  readonly tracer?: JobTracer | undefined;
}

export interface ReconcilerRound {
  /** Jobs that the relay is to publish again. */
  readonly lostCount: number;
  /** True: there is more to do, so the next round should follow at once. */
  readonly hasMore: boolean;
}

const MARGIN_MS = 30_000;
/**
 * More than two heartbeats of a worker: a message that was on its way from the queue to a worker in the first round is in
 * that worker's heartbeat in the second one.
 */
export const CONFIRM_MS = 12_000;
const BUDGET_MS = 2_000;
/** Jobs of the batches of one kind that a round looks at. */
const JOBS_LIMIT = 50_000;
/**
 * Batches end about in the order in which they were published, so a round stops looking after this many groups of batches of
 * which not all have ended.
 */
const BLOCKED_LIMIT = 3;

/** @returns the longest retry path and a margin of 30 s: a healthy job that no worker has in hand changes its state within that time. */
export function defaultStaleAfterMs(declaration: Declaration): number {
  return Math.max(...declaration.kinds.map(longestWaitMs)) + MARGIN_MS;
}

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #nowMs: () => number;
  readonly #runs: RunCounter;
  readonly #lost: LostJobs;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    const { confirmMs = CONFIRM_MS, nowMs = () => performance.now() } = options;
    this.#nowMs = nowMs;
    this.#runs = new RunCounter({ stores: options.stores, confirmMs, nowMs });
    this.#lost = new LostJobs({ ...options, confirmMs, nowMs });
  }

  /** @throws StoreUnavailable, StatementRefused; the next round repeats what failed. */
  async round(): Promise<ReconcilerRound> {
    const { declaration, stores, budgetMs = BUDGET_MS } = this.#options;
    const now = await stores.clock.read();
    let hasMore = false;
    let lostCount = 0;
    for (const kind of declaration.kinds) {
      const deadlineMs = this.#nowMs() + budgetMs / declaration.kinds.length;
      const batches = await this.#endBatches(kind.kind, deadlineMs);
      hasMore ||= batches.hasMore;
      lostCount += await this.#lost.repair(kind, batches.open, now);
    }
    if (await this.#runs.checkRuns(this.#nowMs() + budgetMs)) hasMore = true;
    return { lostCount, hasMore };
  }

  /** @returns the batches that have not ended among those that this round has read, the oldest first. */
  async #endBatches(
    kind: string,
    deadlineMs: number,
  ): Promise<{ open: BatchSummary[]; hasMore: boolean }> {
    const { batches, jobs } = this.#options.stores;
    const published = await batches.published(kind, JOBS_LIMIT);
    const groups = groupBatches(published.batches);
    const ended = new Set<string>();
    let lookedCount = 0;
    let blockedCount = 0;
    for (const group of groups) {
      const read = await batches.findAll(
        group.map(({ _id }) => _id),
        ['ids'],
      );
      // Of a batch that is alone it is enough to know whether it has a pending job.
      const pending = await jobs.pendingOf(read, group.length === 1 ? 1 : undefined);
      const open = new Set(pending.map(({ batch }) => batch));
      const isUncounted = new Set(group.flatMap((each) => (each.isUncounted ? [each._id] : [])));
      for (const batch of read) {
        if (open.has(batch._id)) continue;
        if (isUncounted.has(batch._id)) await this.#recountRunsOf(batch);
        ended.add(batch._id);
      }
      lookedCount += 1;
      if (open.size > 0) blockedCount += 1;
      if (blockedCount === BLOCKED_LIMIT || this.#nowMs() >= deadlineMs) break;
    }
    await batches.markEnded([...ended]);
    const isCut = published.hasMore || lookedCount < groups.length;
    return {
      open: published.batches.filter(({ _id }) => !ended.has(_id)),
      hasMore: isCut && blockedCount < BLOCKED_LIMIT && ended.size > 0,
    };
  }

  /** A replay that was killed has not taken its jobs out of the counts of their runs. */
  async #recountRunsOf({ _id, ids }: Pick<BatchRecord, '_id' | 'ids'>): Promise<void> {
    const { batches, jobs, runs } = this.#options.stores;
    for (const runId of await jobs.runIdsAmong(ids)) await runs.requestRecount(runId);
    await batches.markCounted(_id);
  }
}
