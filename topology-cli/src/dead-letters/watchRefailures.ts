/** Observes which replayed messages are dead-lettered again: while a replay runs, and afterwards until none is in flight. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  deadLetterQueue,
  type KindDeclaration,
  longestWaitMs,
  type ReplayRun,
  replayedBy,
  waitQueuesOf,
} from '@fit/topology';
import { type DeadLetterReader, DeadLetterReaderLost, type Inspector } from '@fit/topology/amqp';
import { closeQuietly, type ReadingEnd, readDeliveries } from './browseDeadLetters.ts';
import { type DeadLetterGroup, DeadLetterGroups, totalCount } from './deadLetterGroups.ts';
import { parseDeadLetter } from './parsedDeadLetter.ts';
import type { ReplayOptions } from './replayDeadLetters.ts';

/** Messages that one read takes at most; a longer read would delay the replay. */
const LOOK_LIMIT = 1_000;
/** Messages read to find the end of a long queue. */
const SCAN_LIMIT = 50_000;

export interface RefailureWatchOptions {
  readonly kind: KindDeclaration;
  readonly run: ReplayRun;
  /** The watch scans a long queue once this many messages have arrived. */
  readonly refailureLimit: number;
  /** Refailed messages that the reading before the watch has found; the watch adds to them. */
  readonly refailed: DeadLetterGroups;
}

/** Reads on behind the messages that a replay holds, and counts those that this run has replayed. */
export class RefailureWatch {
  readonly #reader: DeadLetterReader;
  readonly #options: RefailureWatchOptions;
  /** Ready messages that lie behind the last one read; undefined if the queue is read to its end. */
  #unreadCount: number | undefined;
  #refailedCount: number;

  private constructor(
    reader: DeadLetterReader,
    options: RefailureWatchOptions,
    unreadCount: number | undefined,
  ) {
    this.#reader = reader;
    this.#options = options;
    this.#unreadCount = unreadCount;
    this.#refailedCount = totalCount(options.refailed.list());
  }

  /**
   * @param end how the reading before the watch ended; the watch continues behind its last message.
   * @throws DeadLetterReaderLost
   */
  static async start(
    reader: DeadLetterReader,
    end: ReadingEnd['end'],
    options: RefailureWatchOptions,
  ): Promise<RefailureWatch> {
    const unreadCount = end === 'empty' ? undefined : await reader.readyCount();
    return new RefailureWatch(reader, options, unreadCount);
  }

  /** False if there are messages behind the last one read, among which refailed messages may be. */
  get seesEnd(): boolean {
    return this.#unreadCount === undefined;
  }

  /**
   * If unread messages lie in between, reading continues once so many messages have arrived that the limit may be reached.
   * Another operator's reader that requeues its messages looks the same, so arrivals alone are no reason to stop.
   * @returns how many messages of this run were seen to be dead-lettered again.
   * @throws DeadLetterReaderLost
   */
  async count(): Promise<number> {
    if (this.#unreadCount === undefined) {
      await this.#read(LOOK_LIMIT);
      return this.#refailedCount;
    }
    const arrivedCount = (await this.#reader.readyCount()) - this.#unreadCount;
    if (arrivedCount < this.#options.refailureLimit) return this.#refailedCount;
    const end = await this.#read(SCAN_LIMIT);
    // If the queue is longer than the scan, messages that have arrived up to now stay unseen.
    this.#unreadCount = end === 'empty' ? undefined : await this.#reader.readyCount();
    return this.#refailedCount;
  }

  async #read(limit: number): Promise<ReadingEnd['end']> {
    const { kind, run, refailed } = this.#options;
    const { end, lossReason } = await readDeliveries(this.#reader, limit, (delivery) => {
      const deadLetter = parseDeadLetter(kind, delivery);
      if (replayedBy(deadLetter.headers, run) === 'this run') {
        this.#refailedCount += 1;
        refailed.add(deadLetter);
      }
      return 'continue';
    });
    if (end === 'lost') throw new DeadLetterReaderLost(lossReason);
    return end;
  }
}

/** What became of the replayed messages of one kind. */
export interface ReplayOutcome {
  readonly kind: string;
  /**
   * - `idle`: no message is in flight any more.
   * - `in flight`: the deadline passed before that.
   * - `unseen`: refailed messages could not be observed.
   */
  readonly end: 'idle' | 'in flight' | 'unseen';
  /** Messages that were dead-lettered again. */
  readonly refailed: readonly DeadLetterGroup[];
}

const SLOWEST_POLL_MS = 500;
const TRY_LIMIT = 3;
/** Time that messages may queue behind other work, beyond the waits and deadlines of their own attempts. */
const QUEUEING_ALLOWANCE_MS = 60_000;
const RECONNECT_POLL_MS = 50;
const RECONNECT_POLL_LIMIT = 100;

/**
 * Waits until the replayed messages are done or dead-lettered. The broker counts messages in the main queue and in wait
 * queues, but not a message that a worker holds, so the queues must have been empty for as long as an attempt may last.
 * @param replayedCount messages of this kind that were replayed.
 * @throws if the broker is unreachable.
 */
export async function awaitReplayOutcome(
  options: ReplayOptions,
  replayedCount: number,
): Promise<ReplayOutcome> {
  const { kind, broker } = options;
  const deadlineMs = performance.now() + longestPathMs(kind);
  const inspector = await broker.openInspector();
  try {
    const queues = await existingQueues(inspector, kind);
    for (let attempt = 1; attempt <= TRY_LIMIT; attempt += 1) {
      const outcome = await observe(options, replayedCount, deadlineMs, () =>
        areEmpty(inspector, queues),
      );
      if (outcome !== undefined) return outcome;
    }
    return { kind: kind.kind, end: 'unseen', refailed: [] };
  } finally {
    await inspector.close();
  }
}

/** @returns how long a message with all its attempts can be in flight when no other message is queued before it. */
export function longestPathMs(kind: KindDeclaration): number {
  const attemptsMs = (kind.tiersMs.length + 1) * kind.deadlineMs;
  return longestWaitMs(kind) + attemptsMs + QUEUEING_ALLOWANCE_MS;
}

/** @returns undefined if the connection was lost: the counted messages are requeued and must be counted again. */
async function observe(
  options: ReplayOptions,
  replayedCount: number,
  deadlineMs: number,
  isIdle: () => Promise<boolean>,
): Promise<ReplayOutcome | undefined> {
  const { kind, run, refailureLimit, readLimit, broker } = options;
  const reader = await broker.openReader(deadLetterQueue(kind));
  const refailed = new DeadLetterGroups();
  const outcome = (end: ReplayOutcome['end']): ReplayOutcome => ({
    kind: kind.kind,
    end,
    refailed: refailed.list(),
  });
  try {
    const { end } = await readDeliveries(reader, readLimit, (delivery) => {
      const deadLetter = parseDeadLetter(kind, delivery);
      if (replayedBy(deadLetter.headers, run) === 'this run') refailed.add(deadLetter);
      return 'continue';
    });
    if (end === 'lost') return undefined;
    const watch = await RefailureWatch.start(reader, end, { kind, run, refailureLimit, refailed });
    if (!watch.seesEnd) return outcome('unseen');
    return outcome(await waitUntilIdle(options, replayedCount, deadlineMs, isIdle, watch));
  } catch (error) {
    if (error instanceof DeadLetterReaderLost) return undefined;
    throw error;
  } finally {
    await closeQuietly(reader);
  }
}

async function waitUntilIdle(
  { kind, log }: ReplayOptions,
  replayedCount: number,
  deadlineMs: number,
  isIdle: () => Promise<boolean>,
  watch: RefailureWatch,
): Promise<'idle' | 'in flight'> {
  const pollMs = Math.min(SLOWEST_POLL_MS, ...kind.tiersMs.map((tierMs) => tierMs / 4));
  let idleSinceMs = performance.now();
  let loggedCount = -1;
  while (performance.now() < deadlineMs) {
    const count = await watch.count();
    if (count >= replayedCount) return 'idle';
    const idle = await isIdle();
    if (!idle) idleSinceMs = performance.now();
    const isIdleLongEnough = idle && performance.now() - idleSinceMs > kind.deadlineMs;
    // The last message may have been dead-lettered between the count and the check of the queues, so the messages are
    // counted once more.
    if (isIdleLongEnough && (await watch.count()) === count) return 'idle';
    if (count !== loggedCount) log(`${kind.kind}: ${count} of ${replayedCount} died again`);
    loggedCount = count;
    await delay(pollMs);
  }
  return 'in flight';
}

/** With the back end `auto` the broker decides whether a kind has wait queues. */
async function existingQueues(inspector: Inspector, kind: KindDeclaration): Promise<string[]> {
  const waits = kind.tiersMs.flatMap((_, index) => waitQueuesOf(kind, index + 1));
  const existing: string[] = [];
  for (const queue of kind.backend === 'native' ? [kind.queue] : [kind.queue, ...waits])
    if (await exists(inspector, queue)) existing.push(queue);
  return existing;
}

async function exists(inspector: Inspector, queue: string): Promise<boolean> {
  // A missing queue ends the inspector's connection, which is then opened again.
  for (let poll = 0; !inspector.isUp && poll < RECONNECT_POLL_LIMIT; poll += 1)
    await delay(RECONNECT_POLL_MS);
  try {
    await inspector.depthOf(queue);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === 404) return false;
    throw error;
  }
}

/** @returns false also if the broker does not respond. */
async function areEmpty(inspector: Inspector, queues: readonly string[]): Promise<boolean> {
  try {
    for (const queue of queues) if ((await inspector.depthOf(queue)).readyCount > 0) return false;
    return true;
  } catch {
    return false;
  }
}
