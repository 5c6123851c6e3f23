/**
 * Finds jobs whose message the broker has lost, and publishes them again. A job is lost only if it is stale, no worker that
 * is alive has it in hand, and its queues hold fewer messages than there are such jobs. A job that is published again
 * without need costs work, but the guards of its record and its natural key allow no second effect.
 */
import { randomUUID } from 'node:crypto';
import { type KindDeclaration, waitQueue } from '@fit/topology';
import { BATCH_LIMIT, type BatchRecord } from '../record/batch.ts';
import { leaseEndAfter } from '../store/relayLease.ts';
import type { ReconcilerOptions } from './reconciler.ts';

/** Stale jobs of one kind that a round reads; later rounds reach the others. */
const CANDIDATES_LIMIT = 10_000;

/** Stale jobs that no worker has in hand. */
interface Candidates {
  /** Their messages would be in the main queue. */
  readonly queued: readonly string[];
  /** Their messages would be in a wait queue, or in the main queue since their wait ended. */
  readonly waiting: readonly string[];
}

export interface LostJobsOptions extends ReconcilerOptions {
  readonly confirmMs: number;
  readonly nowMs: () => number;
}

export class LostJobs {
  readonly #options: LostJobsOptions;
  /** For each kind the jobs that the last round found, with the time when they were found first. */
  readonly #suspects = new Map<string, ReadonlyMap<string, number>>();
  /** For each kind when `repair` looked last. */
  readonly #lookedAtMs = new Map<string, number>();

  constructor(options: LostJobsOptions) {
    this.#options = options;
  }

  /**
   * Looks for lost jobs, at most twice within `confirmMs`, because the reading also passes every dead job.
   * @param open published batches of the kind that have not ended, the oldest first.
   * @param now the database's time.
   * @returns how many jobs the relay is to publish again.
   */
  async repair(kind: KindDeclaration, open: readonly BatchRecord[], now: Date): Promise<number> {
    const { staleAfterMs, confirmMs } = this.#options;
    const nowMs = this.#options.nowMs();
    if (nowMs - (this.#lookedAtMs.get(kind.kind) ?? -Infinity) < confirmMs / 2) return 0;
    this.#lookedAtMs.set(kind.kind, nowMs);
    const before = new Date(now.getTime() - staleAfterMs);
    const candidates = await this.#candidates(kind.kind, open, before, now);
    const missing = await this.#missing(kind, candidates);
    const foundBefore = this.#suspects.get(kind.kind);
    const suspects = new Map(missing.map((id) => [id, foundBefore?.get(id) ?? nowMs]));
    this.#suspects.set(kind.kind, suspects);
    const lost = missing.filter((id) => nowMs - (suspects.get(id) ?? nowMs) >= confirmMs);
    for (const id of lost) suspects.delete(id);
    return lost.length === 0 ? 0 : await this.#publishAgain(kind.kind, lost, before);
  }

  async #candidates(
    kind: string,
    open: readonly BatchRecord[],
    before: Date,
    now: Date,
  ): Promise<Candidates> {
    const { jobs, workers } = this.#options.stores;
    const queued: string[] = [];
    for (const batch of open) {
      if (batch.publishedAt === undefined || batch.publishedAt >= before) break;
      if (queued.length >= CANDIDATES_LIMIT) break;
      queued.push(...(await jobs.pendingOf(batch)));
    }
    const silent = await jobs.silent(kind, before, CANDIDATES_LIMIT);
    if (queued.length === 0 && silent.length === 0) return { queued: [], waiting: [] };
    const inHand = new Set((await workers.alive(now)).flatMap(({ jobIds }) => jobIds));
    const isAbsent = (id: string) => !inHand.has(id);
    const running = silent.filter(({ state }) => state === 'running').map(({ _id }) => _id);
    const waiting = silent.filter(({ state }) => state === 'waiting').map(({ _id }) => _id);
    return {
      queued: [...queued, ...running].filter(isAbsent),
      waiting: waiting.filter(isAbsent),
    };
  }

  /**
   * @returns those candidates that fewer messages are left for. With at least as many messages as candidates, the workers are
   * only slow, and publishing again would double the backlog. Without an answer of the broker nothing is missing.
   */
  async #missing(kind: KindDeclaration, { queued, waiting }: Candidates): Promise<string[]> {
    if (queued.length === 0 && waiting.length === 0) return [];
    try {
      const readyCount = await this.#options.readyCount(kind.queue);
      const missing = readyCount < queued.length ? [...queued] : [];
      if (waiting.length === 0) return missing;
      // Only a kind with tiers certainly has wait queues, and asking for a queue that does not exist closes the channel.
      const tiers = kind.backend === 'tiers' ? kind.tiersMs : [];
      const waitCounts = await Promise.all(
        tiers.map((_, index) => this.#options.readyCount(waitQueue(kind, index + 1))),
      );
      const messageCount = waitCounts.reduce((sum, count) => sum + count, readyCount);
      return messageCount < waiting.length ? [...missing, ...waiting] : missing;
    } catch {
      return [];
    }
  }

  /**
   * Puts the jobs into new batches and gives these to the relay. If the process dies in between, a relay takes the batch after
   * its lease and publishes those of its jobs that name it.
   */
  async #publishAgain(kind: string, lost: readonly string[], before: Date): Promise<number> {
    const { batches, jobs, clock } = this.#options.stores;
    const operation = `reconcile-${randomUUID()}`;
    const trace = this.#options.tracer?.operation('reconcile');
    let count = 0;
    for (let from = 0; from < lost.length; from += BATCH_LIMIT) {
      const now = clock.now();
      const batch = await batches.insert(
        {
          _id: `${operation}:${from / BATCH_LIMIT}`,
          runId: operation,
          kind,
          ids: lost.slice(from, from + BATCH_LIMIT).sort(),
          createdAt: now,
          owner: operation,
          ...(trace === undefined ? {} : { traceparent: trace.traceparent }),
        },
        leaseEndAfter(now),
      );
      // A repeated insert finds its own batch; its jobs are still stale, so a later round finds them again.
      if (batch === undefined) continue;
      count += await jobs.moveToBatch(batch.ids, batch._id, before, trace?.traceparent);
      await batches.release(batch, 0);
    }
    trace?.end(count);
    if (count > 0) this.#options.onEvent({ type: 'reconciled', count });
    return count;
  }
}
