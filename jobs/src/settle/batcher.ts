/** Collects items while a write is under way and writes them together: no delay when idle, large batches under load. */
import { StatementRefused, StoreUnavailable } from '../store/statement.ts';

export interface BatcherOptions<Item> {
  /** Items in one write at most. */
  readonly maxCount: number;
  /**
   * Writes the items; must be safe to repeat. `StatementRefused` means that an item cannot be stored, so the batch is halved
   * until that item is found. Every other error is an outage: the same batch is written again, after pauses that grow, until
   * the write succeeds. During an outage nothing is settled, so the prefetch is used up and consuming pauses.
   */
  readonly write: (items: Item[]) => Promise<void>;
  /** Returns false for an item that must not be written any more, because the broker has returned its delivery to the queue. */
  readonly isCurrent: (item: Item) => boolean;
  /** Settles an item that the store refuses. An error of this call counts as an outage, and the call is repeated. */
  readonly onRefused: (item: Item, error: StatementRefused) => Promise<void>;
  readonly onOutage: (error: Error) => void;
  readonly onRecovery: () => void;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

export class Batcher<Item> {
  readonly #options: BatcherOptions<Item>;
  #items: Item[] = [];
  #isWriting = false;
  #isStopped = false;
  #wake: (() => void) | undefined;

  constructor(options: BatcherOptions<Item>) {
    this.#options = options;
  }

  /** Adds an item. The number of waiting items has no limit here; the caller's prefetch limits it. */
  add(item: Item): void {
    this.#items.push(item);
    if (this.#isWriting) return;
    this.#isWriting = true;
    // The write begins after the current turn of the event loop, so that deliveries of one socket read share a batch.
    setImmediate(() => void this.#writeBatches());
  }

  /** Abandons the items that are not written yet; the broker delivers their messages again. */
  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
  }

  async #writeBatches(): Promise<void> {
    while (this.#items.length > 0 && !this.#isStopped) {
      const batch = this.#items.splice(0, this.#options.maxCount);
      await this.#writeOrSplit(batch);
    }
    this.#isWriting = false;
  }

  /** Writes a batch; where the store refuses it, halves it until the refused item is alone. */
  async #writeOrSplit(batch: Item[]): Promise<void> {
    const refusals: StatementRefused[] = [];
    await this.#repeatWhileOut(batch, async (items) => {
      try {
        await this.#options.write(items);
      } catch (error) {
        if (!(error instanceof StatementRefused)) throw error;
        refusals.push(error);
      }
    });
    const [refusal] = refusals;
    if (refusal === undefined) return;
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
  async #repeatWhileOut(batch: Item[], write: (items: Item[]) => Promise<void>): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    let isOutageReported = false;
    while (!this.#isStopped) {
      const current = batch.filter((item) => this.#options.isCurrent(item));
      try {
        if (current.length > 0) await write(current);
        if (isOutageReported) this.#options.onRecovery();
        return;
      } catch (error) {
        if (!isOutageReported && !isContention(error)) {
          this.#options.onOutage(error instanceof Error ? error : new Error(String(error)));
          isOutageReported = true;
        }
        await this.#pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  async #pause(pauseMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Contention means that the store works and that other statements blocked this one; the write is repeated without an event. */
function isContention(error: unknown): boolean {
  return error instanceof StoreUnavailable && error.reason === 'contention';
}
