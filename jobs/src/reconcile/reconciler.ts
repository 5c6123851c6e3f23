/**
 * The reconciler keeps records true that nobody else completes: it ends batches, finishes runs and counts them again, and
 * publishes jobs again that the broker has lost (a purge, a wiped disk, a deleted exchange). One process at a time runs its
 * rounds, under a lease.
 */
import type { Declaration } from '@fit/topology';
import type { QueueDepth } from '@fit/topology/amqp';
import type { JobListener } from '../jobEvent.ts';
import type { BatchRecord } from '../record/batch.ts';
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
  /** A round begins no further work after this time, in milliseconds; default 2,000. */
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
/** Batches of one kind that a round reads. */
const BATCHES_LIMIT = 50;
/** Batches end about in the order in which they were published, so a round stops looking after this many that have not ended. */
const BLOCKED_LIMIT = 3;

/** @returns the longest retry path and a margin of 30 s: a healthy job that no worker has in hand changes its state within that time. */
export function defaultStaleAfterMs(declaration: Declaration): number {
  const paths = declaration.kinds.map(({ tiersMs }) => tiersMs.reduce((sum, ms) => sum + ms, 0));
  return Math.max(...paths) + MARGIN_MS;
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
    const deadlineMs = this.#nowMs() + budgetMs;
    const now = await stores.clock.read();
    let hasMore = false;
    let lostCount = 0;
    for (const kind of declaration.kinds) {
      const { endedCount, open } = await this.#endBatches(kind.kind);
      hasMore ||= endedCount === BATCHES_LIMIT;
      lostCount += await this.#lost.repair(kind, open, now);
    }
    if (await this.#runs.checkRuns(deadlineMs)) hasMore = true;
    return { lostCount, hasMore };
  }

  /** @returns how many batches ended, and those of the others that this round has read, the oldest first. */
  async #endBatches(kind: string): Promise<{ endedCount: number; open: BatchRecord[] }> {
    const { batches, jobs } = this.#options.stores;
    const published = await batches.published(kind, BATCHES_LIMIT);
    const ended: string[] = [];
    let blockedCount = 0;
    for (const batch of published) {
      if ((await jobs.pendingOf(batch, 1)).length > 0) {
        blockedCount += 1;
        if (blockedCount === BLOCKED_LIMIT) break;
        continue;
      }
      if (batch.isUncounted === true) await this.#recountRunsOf(batch);
      ended.push(batch._id);
    }
    if (ended.length > 0) await batches.markEnded(ended);
    const endedIds = new Set(ended);
    return {
      endedCount: ended.length,
      open: published.filter(({ _id }) => !endedIds.has(_id)),
    };
  }

  /** A replay that was killed has not taken its jobs out of the counts of their runs. */
  async #recountRunsOf({ _id, ids }: BatchRecord): Promise<void> {
    const { batches, jobs, runs } = this.#options.stores;
    for (const runId of await jobs.runIdsAmong(ids)) await runs.requestRecount(runId);
    await batches.markCounted(_id);
  }
}
