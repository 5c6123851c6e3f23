/**
 * Collects items while a write is under way and writes them together: no delay when idle, large batches under load. Where
 * writes are faster than items arrive, it can wait for more of them, because small batches cost many statements.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { StatementRefused, StoreUnavailable } from '../store/statement.ts';

export interface BatcherOptions<Item> {
  /** Items in one write at most. */
  readonly maxCount: number;
  /** Whether a batch that follows a busy one waits for more items; default: it does not. */
  readonly fill?: FillOptions;
  /**
   * Writes the items; must be safe to repeat. `StatementRefused` means that an item cannot be stored, so the batch is halved
   * until that item is found. Every other error is an outage: the same batch is written again, after pauses that grow, until
   * the write succeeds. During an outage nothing is settled, so the prefetch is used up and consuming pauses.
   */
  readonly write: (items: readonly Item[]) => Promise<void>;
  /**
   * Returns false for an item that must not be written any more, because the broker has returned its delivery to the queue or
   * because an earlier write of its batch has settled it.
   */
  readonly isCurrent: (item: Item) => boolean;
  /** Settles an item that the store refuses. An error of this call counts as an outage, and the call is repeated. */
  readonly onRefused: (item: Item, error: StatementRefused) => Promise<void> | void;
  readonly onOutage: (error: Error) => void;
  readonly onRecovery: () => void;
}

/** When a batch waits for more items before it is written. */
export interface FillOptions {
  /** So many items do not wait for more; at most as many as can come before some of them are written. */
  readonly enoughCount: number;
  /** Items of the batch before that show a busy queue; after fewer the next batch is written at once. */
  readonly busyCount: number;
  /** No item for this time, in milliseconds, ends the wait. */
  readonly quietMs: number;
  /** Longest wait, in milliseconds; a batch that begins later than this after the one before is written at once. */
  readonly limitMs: number;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

export class Batcher<Item> {
  readonly #options: BatcherOptions<Item>;
  readonly #stopping = new AbortController();
  #items: Item[] = [];
  #isWriting = false;
  /** Items of the batch that was written last, and when that write ended. */
  #last = { count: 0, endedAtMs: 0 };
  /** Ends the wait for more items; undefined while there is none. */
  #endFill: (() => void) | undefined;

  constructor(options: BatcherOptions<Item>) {
    this.#options = options;
  }

  /** Adds an item. The number of waiting items has no limit here; the caller's prefetch limits it. */
  add(item: Item): void {
    this.#items.push(item);
    if (this.#items.length >= (this.#options.fill?.enoughCount ?? Infinity)) this.#endFill?.();
    if (this.#isWriting) return;
    this.#isWriting = true;
    // The write begins after the current turn of the event loop, so that deliveries of one socket read share a batch.
    setImmediate(() => void this.#writeBatches());
  }

  /** Abandons the items that are not written yet; the broker delivers their messages again. */
  stop(): void {
    this.#stopping.abort();
    this.#endFill?.();
  }

  async #writeBatches(): Promise<void> {
    while (this.#items.length > 0 && !this.#stopping.signal.aborted) {
      const { maxCount, fill } = this.#options;
      if (fill !== undefined && this.#isBusy(fill)) await this.#fill(fill);
      if (this.#isStopped()) break;
      let batch = this.#items;
      if (batch.length <= maxCount) this.#items = [];
      else batch = this.#items.splice(0, maxCount);
      const count = batch.length;
      await this.#writeOrSplit(batch);
      this.#last = { count, endedAtMs: performance.now() };
    }
    this.#isWriting = false;
  }

  /** A method, because a stop may come during an await, which the compiler does not assume of a property. */
  #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  #isBusy({ busyCount, limitMs }: FillOptions): boolean {
    const { count, endedAtMs } = this.#last;
    return count >= busyCount && performance.now() - endedAtMs < limitMs;
  }

  /** Waits until there are enough items, until none came for a while, or until the limit. */
  async #fill({ enoughCount, quietMs, limitMs }: FillOptions): Promise<void> {
    if (this.#items.length >= enoughCount) return;
    await new Promise<void>((resolve) => {
      const startedAtMs = performance.now();
      let seenCount = this.#items.length;
      const timer = setInterval(() => {
        const isQuiet = this.#items.length === seenCount;
        seenCount = this.#items.length;
        if (isQuiet || performance.now() - startedAtMs >= limitMs) this.#endFill?.();
      }, quietMs);
      this.#endFill = () => {
        clearInterval(timer);
        this.#endFill = undefined;
        resolve();
      };
    });
  }

  /** Writes a batch; where the store refuses it, halves it until the refused item is alone. */
  async #writeOrSplit(batch: Item[]): Promise<void> {
    let refusal: StatementRefused | undefined;
    await this.#repeatWhileOut(batch, async (items) => {
      try {
        await this.#options.write(items);
      } catch (error) {
        if (!(error instanceof StatementRefused)) throw error;
        refusal = error;
      }
    });
    if (refusal === undefined) return;
    await this.#split(batch, refusal);
  }

  async #split(batch: Item[], refusal: StatementRefused): Promise<void> {
    const [only, ...others] = batch;
    if (only !== undefined && others.length === 0) {
      await this.#repeatWhileOut(batch, () => this.#options.onRefused(only, refusal));
      return;
    }
    const middle = Math.ceil(batch.length / 2);
    await this.#writeOrSplit(batch.slice(0, middle));
    await this.#writeOrSplit(batch.slice(middle));
  }

  /** Repeats the write until it succeeds, or until no item of the batch is current. */
  async #repeatWhileOut(
    batch: readonly Item[],
    write: (items: readonly Item[]) => Promise<void> | void,
  ): Promise<void> {
    const { isCurrent, onOutage, onRecovery } = this.#options;
    const { signal } = this.#stopping;
    let pauseMs = FIRST_PAUSE_MS;
    let isOutageReported = false;
    while (!signal.aborted) {
      const current = batch.every(isCurrent) ? batch : batch.filter(isCurrent);
      try {
        if (current.length > 0) await write(current);
        if (isOutageReported) onRecovery();
        return;
      } catch (error) {
        if (!isOutageReported && !isContention(error)) {
          onOutage(error instanceof Error ? error : new Error(String(error)));
          isOutageReported = true;
        }
        await delay(pauseMs, undefined, { signal }).catch(() => undefined);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
  }
}

/** Contention means that the store works and that other statements blocked this one; the write is repeated without an event. */
function isContention(error: unknown): boolean {
  return error instanceof StoreUnavailable && error.reason === 'contention';
}
