/** The database's time in this process, for times that are stored by an insert, which cannot ask the database itself. */
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection } from './documentCollection.ts';

interface ClockDocument {
  readonly _id: string;
  readonly readAt: Date;
}

const CLOCK_ID = 'clock';
const SYNC_INTERVAL_MS = 60_000;

/**
 * Knows the difference between the database's clock and this process's monotonic clock. A process clock that is wrong, or
 * that is set while the process runs, changes nothing. What decides about leases and staleness is compared by the database
 * itself (`$$NOW`), so the error of this difference (half a round trip) decides nothing.
 */
export class DatabaseClock {
  readonly #documents: DocumentCollection<ClockDocument>;
  /** The database's time minus `performance.now()`; undefined before the first answer. */
  #offsetMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(database: StoreDatabase) {
    this.#documents = database.collection<ClockDocument>('clock');
  }

  /** Reads the database's clock, and again every minute. @throws StoreUnavailable, StatementRefused */
  async start(): Promise<void> {
    await this.read();
    this.#timer = setInterval(() => {
      // The offset of the last minute stays while the database does not answer.
      this.read().catch(() => undefined);
    }, SYNC_INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** @returns the database's time, read now. @throws StoreUnavailable, StatementRefused */
  async read(): Promise<Date> {
    const sentAtMs = performance.now();
    const found = await this.#documents.upsert(CLOCK_ID, [{ $set: { readAt: '$$NOW' } }]);
    const answeredAtMs = performance.now();
    const readAt = found?.readAt ?? new Date();
    this.#offsetMs = readAt.getTime() - (sentAtMs + answeredAtMs) / 2;
    return readAt;
  }

  /** @returns the database's time by the last reading; before the first one this machine's time. */
  now(): Date {
    return this.#offsetMs === undefined
      ? new Date()
      : new Date(Math.round(performance.now() + this.#offsetMs));
  }

  /**
   * Converts a time that this machine's clock gave a moment ago.
   * @param atMs milliseconds since 1970, from `Date.now()` or a `Date`.
   */
  fromProcessTime(atMs: number): Date {
    return new Date(atMs + this.now().getTime() - Date.now());
  }
}
