/** Publishes messages in order, each confirmed, at a limited rate; backs off while a queue is full. */
import { setTimeout as delay } from 'node:timers/promises';
import type {
  DeadLetterPublisher,
  DeadLetterPublishResult,
  OutgoingDeadLetter,
} from '@fit/topology/amqp';
import { ProblemList } from './operatorLog.ts';

/** One message to publish. */
export interface ReplayItem {
  readonly id: string;
  /** Called at each publish, so that the message has the time at which it is published. */
  readonly createMessage: () => OutgoingDeadLetter;
  /** Called once the broker has confirmed the message: acknowledges the original. */
  readonly acknowledge: () => void;
}

/**
 * - `done`: all messages were tried.
 * - `full`: the queue refused messages for the whole of `fullQueueTimeoutMs`.
 * - `unroutable`: no queue is bound to the key.
 * - `lost`: the connection ended.
 * - `stopped`: the caller asked to stop.
 */
export type RepublishEnd = 'done' | 'full' | 'unroutable' | 'lost' | 'stopped';

export interface RepublishReport {
  readonly end: RepublishEnd;
  readonly publishedCount: number;
  /** Messages that were returned, could not be encoded, or were refused by a full queue; none of them is acknowledged. */
  readonly failedCount: number;
  /** Why the connection was lost; otherwise empty. */
  readonly lossReason: string;
  readonly problems: readonly string[];
}

export interface RepublishOptions {
  readonly publisher: DeadLetterPublisher;
  /** Messages per second; undefined: as fast as the broker confirms them. */
  readonly ratePerSecond: number | undefined;
  /** Messages published and not confirmed yet, at most. */
  readonly maxUnconfirmed: number;
  /** Milliseconds for which a full queue may refuse without accepting a single message. */
  readonly fullQueueTimeoutMs: number;
  readonly log: (line: string) => void;
  /** Called after each batch. @returns true if no more shall be published. */
  readonly onBatch: (publishedCount: number) => Promise<boolean>;
}

const FIRST_BACKOFF_MS = 50;
const LONGEST_BACKOFF_MS = 2_000;
/** A binding is missing if so many messages in a row are returned; fewer may have been odd messages. */
const RETURNED_LIMIT = 20;
/** At a limited rate, a batch is what is due within this time. */
const BATCH_INTERVAL_MS = 100;

export async function republish(
  items: readonly ReplayItem[],
  options: RepublishOptions,
): Promise<RepublishReport> {
  return await new Republisher(options).run(items);
}

/** @returns how many messages are published together. */
export function batchSize({
  ratePerSecond,
  maxUnconfirmed,
}: Pick<RepublishOptions, 'ratePerSecond' | 'maxUnconfirmed'>): number {
  if (ratePerSecond === undefined) return maxUnconfirmed;
  const dueCount = Math.floor((ratePerSecond * BATCH_INTERVAL_MS) / 1_000);
  return Math.max(1, Math.min(maxUnconfirmed, dueCount));
}

class Republisher {
  readonly #options: RepublishOptions;
  readonly #problems = new ProblemList();
  readonly #startedAtMs = performance.now();
  #publishedCount = 0;
  #failedCount = 0;
  #returnedInARow = 0;
  #lossReason: string | undefined;

  constructor(options: RepublishOptions) {
    this.#options = options;
  }

  async run(items: readonly ReplayItem[]): Promise<RepublishReport> {
    const size = batchSize(this.#options);
    let end: RepublishEnd | undefined;
    for (let first = 0; first < items.length && end === undefined; first += size)
      end = await this.#publishBatch(items.slice(first, first + size));
    return {
      end: end ?? 'done',
      publishedCount: this.#publishedCount,
      failedCount: this.#failedCount,
      lossReason: this.#lossReason ?? '',
      problems: this.#problems.list(),
    };
  }

  /** @returns why to stop; undefined to go on. */
  async #publishBatch(batch: readonly ReplayItem[]): Promise<RepublishEnd | undefined> {
    const { fullQueueTimeoutMs, log, onBatch } = this.#options;
    let refused = batch;
    let backoffMs = FIRST_BACKOFF_MS;
    let waitedMs = 0;
    for (;;) {
      const countBefore = this.#publishedCount;
      refused = await this.#tryOnce(refused);
      if (this.#lossReason !== undefined) return 'lost';
      if (this.#returnedInARow >= RETURNED_LIMIT) return 'unroutable';
      if (refused.length === 0) break;
      if (this.#publishedCount > countBefore) {
        backoffMs = FIRST_BACKOFF_MS;
        waitedMs = 0;
      }
      if (waitedMs >= fullQueueTimeoutMs) {
        for (const item of refused) this.#fail(item, 'refused: the queue is full');
        return 'full';
      }
      if (waitedMs === 0) log('the queue is full: waiting until it accepts messages');
      await delay(backoffMs);
      waitedMs += backoffMs;
      backoffMs = Math.min(2 * backoffMs, LONGEST_BACKOFF_MS);
    }
    if (await onBatch(this.#publishedCount)) return 'stopped';
    await this.#awaitRate();
    return undefined;
  }

  /** @returns the messages that a full queue refused. */
  async #tryOnce(batch: readonly ReplayItem[]): Promise<ReplayItem[]> {
    const results = await Promise.all(
      batch.map(async (item) => ({
        item,
        answer: await this.#options.publisher.publish(item.createMessage()),
      })),
    );
    for (const { item, answer } of results) {
      this.#returnedInARow = answer.result === 'returned' ? this.#returnedInARow + 1 : 0;
      this.#record(item, answer);
    }
    return results.flatMap(({ item, answer }) => (answer.result === 'nacked' ? [item] : []));
  }

  #record(item: ReplayItem, { result, reason = '' }: DeadLetterPublishResult): void {
    switch (result) {
      case 'nacked':
        return;
      case 'confirmed':
        // Only now: until the broker has stored the copy, the original is the only message.
        item.acknowledge();
        this.#publishedCount += 1;
        return;
      case 'returned':
        this.#fail(item, 'returned: no queue is bound to its key');
        return;
      case 'unknown':
        this.#lossReason = reason;
        return;
      case 'unsendable':
        this.#fail(item, `it cannot be encoded: ${reason}`);
    }
  }

  #fail({ id }: ReplayItem, reason: string): void {
    this.#failedCount += 1;
    this.#problems.add(`${id} is not replayed, ${reason}`);
  }

  async #awaitRate(): Promise<void> {
    const { ratePerSecond } = this.#options;
    if (ratePerSecond === undefined) return;
    const dueMs = (this.#publishedCount / ratePerSecond) * 1_000;
    const waitMs = dueMs - (performance.now() - this.#startedAtMs);
    if (waitMs > 0) await delay(waitMs);
  }
}
