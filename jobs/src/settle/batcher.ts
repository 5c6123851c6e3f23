/** Collects items while a write is under way and hands them over together: idle it adds no wait, busy it batches. */
export interface BatcherOptions<Item> {
  readonly maxCount: number;
  /**
   * Throws only when the store is out; the same batch is then handed over again, with growing pauses, until it
   * succeeds. Meanwhile nothing is settled, so the prefetch runs out and consuming pauses by itself.
   */
  readonly write: (items: Item[]) => Promise<void>;
  /** False: the item is no longer worth writing, its delivery is somebody else's by now. */
  readonly isCurrent: (item: Item) => boolean;
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

  /** Bounded by the caller's prefetch. */
  add(item: Item): void {
    this.#items.push(item);
    if (this.#isWriting) return;
    this.#isWriting = true;
    // One turn of the loop, so that deliveries of the same read share a batch.
    setImmediate(() => void this.#writeAll());
  }

  /** Gives up on what is not yet written; the broker delivers it again. */
  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
  }

  async #writeAll(): Promise<void> {
    while (this.#items.length > 0 && !this.#isStopped) {
      const batch = this.#items.splice(0, this.#options.maxCount);
      await this.#writeUntilStored(batch);
    }
    this.#isWriting = false;
  }

  async #writeUntilStored(batch: Item[]): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    let wasOut = false;
    while (!this.#isStopped) {
      const current = batch.filter((item) => this.#options.isCurrent(item));
      try {
        if (current.length > 0) await this.#options.write(current);
        if (wasOut) this.#options.onRecovery();
        return;
      } catch (error) {
        if (!wasOut)
          this.#options.onOutage(error instanceof Error ? error : new Error(String(error)));
        wasOut = true;
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
