/**
 * The tombstones of deleted users in the memory of a worker, so that a job costs no statement. They are read every few seconds; what a
 * worker does for a user in between is removed by the last pass of the deletion.
 */
import { type ErasureStore, TOMBSTONE_SECONDS } from './store/erasureStore.ts';

const REFRESH_MS = 5_000;
/** Two monoliths store tombstones in another order than that of their times by at most this much. */
const OVERLAP_MS = 60_000;

export class ErasedUsers {
  readonly #store: Pick<ErasureStore, 'idOf' | 'since'>;
  /** Times of their requests in milliseconds, by the ids of tombstones, the oldest first. */
  readonly #tombstones = new Map<string, number>();
  #newestMs = 0;
  #isReading = false;
  readonly #timer: NodeJS.Timeout;

  private constructor(store: Pick<ErasureStore, 'idOf' | 'since'>) {
    this.#store = store;
    this.#timer = setInterval(() => {
      // While the database does not answer, the tombstones that are known stay in force.
      this.#read().catch(() => undefined);
    }, REFRESH_MS);
    this.#timer.unref();
  }

  /** @throws StoreUnavailable: a worker that knows no tombstones must not begin. */
  static async start(store: Pick<ErasureStore, 'idOf' | 'since'>): Promise<ErasedUsers> {
    const users = new ErasedUsers(store);
    try {
      await users.#read();
    } catch (error) {
      users.stop();
      throw error;
    }
    return users;
  }

  /** True while nobody was deleted lately, so that nothing need be hashed. */
  get isEmpty(): boolean {
    return this.#tombstones.size === 0;
  }

  has(userId: string): boolean {
    return this.#tombstones.has(this.#store.idOf(userId));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      let sinceMs = this.#newestMs - OVERLAP_MS;
      for (;;) {
        const found = await this.#store.since(new Date(Math.max(0, sinceMs)));
        for (const { _id, requestedAt } of found) this.#tombstones.set(_id, requestedAt.getTime());
        const lastMs = found.at(-1)?.requestedAt.getTime() ?? sinceMs;
        if (lastMs <= sinceMs) break;
        sinceMs = lastMs;
        this.#newestMs = Math.max(this.#newestMs, lastMs);
      }
      for (const [id, atMs] of this.#tombstones) {
        if (this.#newestMs - atMs <= TOMBSTONE_SECONDS * 1_000) break;
        this.#tombstones.delete(id);
      }
    } finally {
      this.#isReading = false;
    }
  }
}
