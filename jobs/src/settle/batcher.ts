/** Collects items while a write is under way and writes them together: no delay when idle, large batches under load. */
import { StatementRefused, StoreUnavailable } from '../store/statement.ts';

export interface BatcherOptions<Item> {
  readonly maxCount: number;
  /**
   * Must be safe to repeat. What it throws decides: `StatementRefused` means that one of the items cannot be stored, and
   * the batch is halved until that one is found; anything else is an outage, and the same batch is handed over again,
   * with growing pauses, until it succeeds. Meanwhile nothing is settled, so the prefetch runs out and consuming pauses.
   */
  readonly write: (items: Item[]) => Promise<void>;
  /** False: the item must not be written any more, because the broker has returned its delivery to the queue. */
  readonly isCurrent: (item: Item) => boolean;
  /** Settles the one item that the store refuses. An error counts as an outage, and the call is repeated. */
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

  /** Adds an item; the caller's prefetch bounds how many wait. */
  add(item: Item): void {
    this.#items.push(item);
    if (this.#isWriting) return;
    this.#isWriting = true;
    // The write begins after the current turn of the event loop, so that deliveries of one socket read share a batch.
    setImmediate(() => void this.#writeAll());
  }

  /** Abandons the items that are not written yet; the broker delivers them again. */
  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
  }

  async #writeAll(): Promise<void> {
    while (this.#items.length > 0 && !this.#isStopped) {
      const batch = this.#items.splice(0, this.#options.maxCount);
      await this.#writeApart(batch);
    }
    this.#isWriting = false;
  }

  async #writeApart(batch: Item[]): Promise<void> {
    const refusals: StatementRefused[] = [];
    await this.#repeat(batch, async (items) => {
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
      await this.#repeat(batch, () => this.#options.onRefused(only, refusal));
      return;
    }
    const middle = Math.ceil(batch.length / 2);
    await this.#writeApart(batch.slice(0, middle));
    await this.#writeApart(batch.slice(middle));
  }

  /** Repeats the write until it succeeds, or until no item of the batch is current. */
  async #repeat(batch: Item[], write: (items: Item[]) => Promise<void>): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    let wasOut = false;
    while (!this.#isStopped) {
      const current = batch.filter((item) => this.#options.isCurrent(item));
      try {
        if (current.length > 0) await write(current);
        if (wasOut) this.#options.onRecovery();
        return;
      } catch (error) {
        if (!wasOut && !isContention(error)) {
          this.#options.onOutage(error instanceof Error ? error : new Error(String(error)));
          wasOut = true;
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

/** Contention means that the store works and other statements blocked this one; it is repeated without an event. */
function isContention(error: unknown): boolean {
  return error instanceof StoreUnavailable && error.reason === 'contention';
}
