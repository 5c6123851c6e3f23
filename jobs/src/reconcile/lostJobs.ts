/**
 * Finds jobs whose message the broker has lost, and publishes them again. A job is lost only if it is stale, two looks that
 * are far enough apart find it in no worker's hand, and its queues held fewer messages at both looks than there are such
 * jobs. Consumers without a heartbeat do not say what they have in hand; beside them a job is lost only if its queue was
 * empty for longer than such a consumer may keep a message. A job that is published again without need costs work, but the
 * guards of its record and its natural key allow no second effect.
 */
import { randomUUID } from 'node:crypto';
import { type KindDeclaration, waitQueuesOf } from '@fit/topology';
import { BATCH_LIMIT, type BatchSummary, groupBatches } from '../record/batch.ts';
import { operationLeaseEndAfter } from '../store/relayLease.ts';
import type { ReconcilerOptions } from './reconciler.ts';

/** Stale jobs of one kind that a round reads; later rounds reach the others. */
const CANDIDATES_LIMIT = 10_000;
/**
 * Attempts that a message outlasts in a consumer: a prefetched one waits for the end of the attempt before its own. Workers
 * of opened jobs prefetch as many messages as they have handlers.
 */
const ATTEMPTS_IN_HAND = 2;
/** Added to the deadlines of these attempts, in milliseconds: the end of an attempt is reported before it is settled. */
const IN_HAND_MARGIN_MS = 30_000;

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
  /** True where the main queue has more consumers than workers of the kind are alive, and where the broker did not answer. */
  readonly hasSilentConsumers: boolean;
  /** The earliest last heartbeat of the workers of the kind that are alive; undefined without any. */
  readonly oldestHeartbeatAt: Date | undefined;
}

/** Candidates that every look has found since a time, while each look found the main queue empty. */
interface Leftover extends Pick<Look, 'queued' | 'waiting'> {
  readonly sinceMs: number;
}

export interface LostJobsOptions extends ReconcilerOptions {
  readonly confirmMs: number;
  readonly nowMs: () => number;
}

export class LostJobs {
  readonly #options: LostJobsOptions;
  /** The last look at each kind. */
  readonly #looks = new Map<string, Look>();
  /** Of each kind whose queue has consumers without a heartbeat. */
  readonly #leftovers = new Map<string, Leftover>();

  constructor(options: LostJobsOptions) {
    this.#options = options;
  }

  /**
   * Looks for lost jobs, once within `confirmMs`, because the reading also passes every dead job.
   * @param open published batches of the kind that have not ended, the oldest first.
   * @param now the database's time.
   * @returns how many jobs the relay is to publish again.
   */
  async repair(kind: KindDeclaration, open: readonly BatchSummary[], now: Date): Promise<number> {
    const { staleAfterMs, confirmMs } = this.#options;
    const former = this.#looks.get(kind.kind);
    if (former !== undefined && this.#options.nowMs() - former.atMs < confirmMs) return 0;
    const before = new Date(now.getTime() - staleAfterMs);
    const look = await this.#look(kind, open, before, now);
    this.#looks.set(kind.kind, look);
    const lost = former === undefined ? [] : this.#lostSince(kind, former, look);
    return lost.length === 0 ? 0 : await this.#publishAgain(kind, lost, before);
  }

  #lostSince(kind: KindDeclaration, former: Look, look: Look): string[] {
    // Both looks count, because a worker that has just died may still have the heartbeat that hides another consumer.
    if (former.hasSilentConsumers || look.hasSilentConsumers) return this.#lostBeside(kind, look);
    this.#leftovers.delete(kind.kind);
    return lostBetween(former, look);
  }

  /**
   * The counts show nothing where consumers do not say how many messages they have in hand. But a message that was in hand
   * while its queue was empty is settled after some time, and the state of its job has changed.
   * @returns candidates that are left after that time.
   */
  #lostBeside(kind: KindDeclaration, look: Look): string[] {
    const known = look.readyCount === 0 ? this.#leftovers.get(kind.kind) : undefined;
    const leftover: Leftover = {
      sinceMs: known?.sinceMs ?? look.atMs,
      queued: known?.queued.intersection(look.queued) ?? look.queued,
      waiting: known?.waiting.intersection(look.waiting) ?? look.waiting,
    };
    const { queued, waiting, sinceMs } = leftover;
    const inHandMs = ATTEMPTS_IN_HAND * kind.deadlineMs + IN_HAND_MARGIN_MS;
    const isOver = look.atMs - sinceMs >= inHandMs;
    const isEmpty = queued.size === 0 && waiting.size === 0;
    if (look.readyCount > 0 || isOver || isEmpty) this.#leftovers.delete(kind.kind);
    else this.#leftovers.set(kind.kind, leftover);
    if (!isOver) return [];
    // The others of the waiting jobs may have their messages in the wait queues.
    return [...queued, ...(look.messageCount < waiting.size ? waiting : [])];
  }

  async #look(
    kind: KindDeclaration,
    open: readonly BatchSummary[],
    before: Date,
    now: Date,
  ): Promise<Look> {
    const { batches, jobs, workers } = this.#options.stores;
    const atMs = this.#options.nowMs();
    const queued: string[] = [];
    const isStale = ({ publishedAt }: BatchSummary) =>
      publishedAt !== undefined && publishedAt < before;
    for (const group of groupBatches(open.filter(isStale))) {
      if (queued.length >= CANDIDATES_LIMIT) break;
      const read = await batches.findAll(
        group.map(({ _id }) => _id),
        ['ids'],
      );
      for (const { _id } of await jobs.pendingOf(read)) queued.push(_id);
    }
    const silent = await jobs.silent(kind.kind, before, CANDIDATES_LIMIT);
    const running = silent.filter(({ state }) => state === 'running').map(({ _id }) => _id);
    const waiting = silent.filter(({ state }) => state === 'waiting').map(({ _id }) => _id);
    const hasCandidates = queued.length > 0 || silent.length > 0;
    const alive = hasCandidates ? await workers.alive(now) : [];
    const inHand = new Set(alive.flatMap(({ jobIds }) => jobIds));
    const isAbsent = (id: string) => !inHand.has(id);
    const ofKind = alive.filter((worker) => worker.kind === kind.kind);
    const heartbeats = ofKind.map(({ seenAt }) => seenAt.getTime());
    const candidates = {
      queued: new Set([...queued, ...running].filter(isAbsent)),
      waiting: new Set(waiting.filter(isAbsent)),
    };
    return {
      atMs,
      at: now,
      ...candidates,
      ...(await this.#countMessages(kind, candidates, ofKind.length)),
      oldestHeartbeatAt: heartbeats.length === 0 ? undefined : new Date(Math.min(...heartbeats)),
    };
  }

  /** Without candidates the broker is not asked. */
  async #countMessages(
    kind: KindDeclaration,
    { queued, waiting }: Pick<Look, 'queued' | 'waiting'>,
    aliveCount: number,
  ): Promise<Pick<Look, 'readyCount' | 'messageCount' | 'hasSilentConsumers'>> {
    const unknown = { readyCount: Infinity, messageCount: Infinity, hasSilentConsumers: true };
    if (queued.size === 0 && waiting.size === 0) return unknown;
    try {
      const { readyCount, consumerCount } = await this.#options.depthOf(kind.queue);
      const hasSilentConsumers = consumerCount > aliveCount;
      if (waiting.size === 0) return { readyCount, messageCount: Infinity, hasSilentConsumers };
      // Only a kind with tiers certainly has wait queues, and asking for a queue that does not exist closes the channel.
      const tiers = kind.backend === 'tiers' ? kind.tiersMs : [];
      const waitDepths = await Promise.all(
        tiers
          .flatMap((_, index) => waitQueuesOf(kind, index + 1))
          .map((queue) => this.#options.depthOf(queue)),
      );
      return {
        readyCount,
        messageCount: waitDepths.reduce((sum, depth) => sum + depth.readyCount, readyCount),
        hasSilentConsumers,
      };
    } catch {
      return unknown;
    }
  }

  /**
   * Puts the jobs into new batches and gives these to the relay. If the process dies in between, a relay takes the batch after
   * its lease and publishes those of its jobs that name it.
   */
  async #publishAgain(
    kind: KindDeclaration,
    lost: readonly string[],
    before: Date,
  ): Promise<number> {
    const { batches, jobs, clock } = this.#options.stores;
    const operation = `reconcile-${randomUUID()}`;
    const trace = this.#options.tracer?.operation('reconcile');
    let count = 0;
    for (const [number, { ids, isUrgent }] of (await this.#divide(kind, lost)).entries()) {
      const now = clock.now();
      const batch = await batches.insert(
        {
          _id: `${operation}:${number}`,
          runId: operation,
          kind: kind.kind,
          ...(isUrgent ? { isUrgent } : {}),
          ids: ids.toSorted(),
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

  /** @returns the jobs of each batch, the urgent ones first and apart, so that they wait behind no others. */
  async #divide(
    { priorities }: KindDeclaration,
    lost: readonly string[],
  ): Promise<{ readonly ids: readonly string[]; readonly isUrgent: boolean }[]> {
    const { jobs } = this.#options.stores;
    const divided: Record<'urgent' | 'others', string[]> = { urgent: [], others: [] };
    for (const ids of inBatches(lost)) {
      const urgent = priorities.length > 0 ? await jobs.findUrgent(ids) : undefined;
      for (const id of ids) divided[urgent?.has(id) === true ? 'urgent' : 'others'].push(id);
    }
    return [
      ...inBatches(divided.urgent).map((ids) => ({ ids, isUrgent: true })),
      ...inBatches(divided.others).map((ids) => ({ ids, isUrgent: false })),
    ];
  }
}

function inBatches(ids: readonly string[]): string[][] {
  const batches: string[][] = [];
  for (let from = 0; from < ids.length; from += BATCH_LIMIT)
    batches.push(ids.slice(from, from + BATCH_LIMIT));
  return batches;
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
