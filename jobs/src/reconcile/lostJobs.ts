/**
 * Finds jobs whose message the broker has lost, and publishes them again. A job is lost only if it is stale, two looks that
 * are far enough apart find it in no worker's hand, and its queues held fewer messages at both looks than there are such
 * jobs. A job that is published again without need costs work, but the guards of its record and its natural key allow no
 * second effect.
 */
import { randomUUID } from 'node:crypto';
import { type KindDeclaration, waitQueue } from '@fit/topology';
import { BATCH_LIMIT, type BatchRecord } from '../record/batch.ts';
import { operationLeaseEndAfter } from '../store/relayLease.ts';
import type { ReconcilerOptions } from './reconciler.ts';

/** Stale jobs of one kind that a round reads; later rounds reach the others. */
const CANDIDATES_LIMIT = 10_000;

/** What one look at a kind found. */
interface Look {
  readonly atMs: number;
  /** The database's time. */
  readonly at: Date;
  /** Stale jobs that no worker had in hand, and whose messages would be in the main queue. */
  readonly queued: ReadonlySet<string>;
  /** The same for jobs whose messages would be in a wait queue, or in the main queue since their wait ended. */
  readonly waiting: ReadonlySet<string>;
  /** Messages in the main queue, and in all queues of the kind; infinite where the broker did not answer. */
  readonly readyCount: number;
  readonly messageCount: number;
  /** The earliest last heartbeat of the workers that are alive; undefined without any. */
  readonly oldestHeartbeatAt: Date | undefined;
}

export interface LostJobsOptions extends ReconcilerOptions {
  readonly confirmMs: number;
  readonly nowMs: () => number;
}

export class LostJobs {
  readonly #options: LostJobsOptions;
  /** The last look at each kind. */
  readonly #looks = new Map<string, Look>();

  constructor(options: LostJobsOptions) {
    this.#options = options;
  }

  /**
   * Looks for lost jobs, once within `confirmMs`, because the reading also passes every dead job.
   * @param open published batches of the kind that have not ended, the oldest first.
   * @param now the database's time.
   * @returns how many jobs the relay is to publish again.
   */
  async repair(kind: KindDeclaration, open: readonly BatchRecord[], now: Date): Promise<number> {
    const { staleAfterMs, confirmMs } = this.#options;
    const former = this.#looks.get(kind.kind);
    if (former !== undefined && this.#options.nowMs() - former.atMs < confirmMs) return 0;
    const before = new Date(now.getTime() - staleAfterMs);
    const look = await this.#look(kind, open, before, now);
    this.#looks.set(kind.kind, look);
    const lost = former === undefined ? [] : lostBetween(former, look);
    return lost.length === 0 ? 0 : await this.#publishAgain(kind.kind, lost, before);
  }

  async #look(
    kind: KindDeclaration,
    open: readonly BatchRecord[],
    before: Date,
    now: Date,
  ): Promise<Look> {
    const { jobs, workers } = this.#options.stores;
    const atMs = this.#options.nowMs();
    const queued: string[] = [];
    for (const batch of open) {
      if (batch.publishedAt === undefined || batch.publishedAt >= before) break;
      if (queued.length >= CANDIDATES_LIMIT) break;
      queued.push(...(await jobs.pendingOf(batch)));
    }
    const silent = await jobs.silent(kind.kind, before, CANDIDATES_LIMIT);
    const running = silent.filter(({ state }) => state === 'running').map(({ _id }) => _id);
    const waiting = silent.filter(({ state }) => state === 'waiting').map(({ _id }) => _id);
    const hasCandidates = queued.length > 0 || silent.length > 0;
    const alive = hasCandidates ? await workers.alive(now) : [];
    const inHand = new Set(alive.flatMap(({ jobIds }) => jobIds));
    const isAbsent = (id: string) => !inHand.has(id);
    const heartbeats = alive.map(({ seenAt }) => seenAt.getTime());
    const candidates = {
      queued: new Set([...queued, ...running].filter(isAbsent)),
      waiting: new Set(waiting.filter(isAbsent)),
    };
    return {
      atMs,
      at: now,
      ...candidates,
      ...(await this.#countMessages(kind, candidates)),
      oldestHeartbeatAt: heartbeats.length === 0 ? undefined : new Date(Math.min(...heartbeats)),
    };
  }

  /** Without candidates the broker is not asked. */
  async #countMessages(
    kind: KindDeclaration,
    { queued, waiting }: Pick<Look, 'queued' | 'waiting'>,
  ): Promise<Pick<Look, 'readyCount' | 'messageCount'>> {
    const unknown = { readyCount: Infinity, messageCount: Infinity };
    if (queued.size === 0 && waiting.size === 0) return unknown;
    try {
      const readyCount = await this.#options.readyCount(kind.queue);
      if (waiting.size === 0) return { ...unknown, readyCount };
      // Only a kind with tiers certainly has wait queues, and asking for a queue that does not exist closes the channel.
      const tiers = kind.backend === 'tiers' ? kind.tiersMs : [];
      const waitCounts = await Promise.all(
        tiers.map((_, index) => this.#options.readyCount(waitQueue(kind, index + 1))),
      );
      return {
        readyCount,
        messageCount: waitCounts.reduce((sum, count) => sum + count, readyCount),
      };
    } catch {
      return unknown;
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
        operationLeaseEndAfter(now),
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

/**
 * A job that both looks found, and whose message exists, was in a queue at the first one: a worker that had just taken it has
 * it in its heartbeat at the second one. So only where the queues held fewer messages than there are such jobs, some are
 * lost. The messages of one look alone show nothing: workers take messages faster than their heartbeats say so.
 * @returns jobs that are lost; with at least as many messages as jobs none, because then the workers are only slow, and
 * publishing again would double the backlog.
 */
function lostBetween(former: Look, now: Look): string[] {
  // A worker without a heartbeat since the first look may have taken messages that no heartbeat names yet.
  if (now.oldestHeartbeatAt !== undefined && now.oldestHeartbeatAt <= former.at) return [];
  const queued = [...now.queued.intersection(former.queued)];
  const waiting = [...now.waiting.intersection(former.waiting)];
  const isMissing = (count: number, messageCounts: readonly number[]) =>
    messageCounts.every((messageCount) => messageCount < count);
  return [
    ...(isMissing(queued.length, [former.readyCount, now.readyCount]) ? queued : []),
    ...(isMissing(waiting.length, [former.messageCount, now.messageCount]) ? waiting : []),
  ];
}
