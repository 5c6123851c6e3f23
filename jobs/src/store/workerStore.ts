/** The collection `workers`: which messages each worker has in hand, so that none of them is taken for lost. */
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection } from './documentCollection.ts';

export interface WorkerRecord {
  /** Id of the worker, as its connections and attempts name it. */
  readonly _id: string;
  readonly kind: string;
  /** Time of the last heartbeat by the database's clock. */
  readonly seenAt: Date;
  /** Jobs whose messages are delivered to the worker and not settled, prefetched ones included. */
  readonly jobIds: readonly string[];
}

/** A worker writes its heartbeat this often, in milliseconds. */
export const HEARTBEAT_MS = 5_000;
/** A worker without a heartbeat for longer is dead: the broker has given its messages to others. In milliseconds. */
export const WORKER_DEAD_AFTER_MS = 20_000;
/** The database deletes the record of a dead worker after this time, in seconds. */
const EXPIRE_SECONDS = 3_600;

export class WorkerStore {
  readonly #workers: DocumentCollection<WorkerRecord>;

  constructor(database: StoreDatabase) {
    this.#workers = database.collection<WorkerRecord>('workers');
  }

  async ensureIndexes(): Promise<void> {
    await this.#workers.ensureIndex({ seenAt: 1 }, { expireAfterSeconds: EXPIRE_SECONDS });
  }

  async beat({ _id, kind, jobIds }: Omit<WorkerRecord, 'seenAt'>): Promise<void> {
    await this.#workers.upsert(_id, [
      { $set: { kind, jobIds: { $literal: [...jobIds] }, seenAt: '$$NOW' } },
    ]);
  }

  async remove(id: string): Promise<void> {
    await this.#workers.deleteOne(id, {});
  }

  /** @returns the workers that had a heartbeat within `WORKER_DEAD_AFTER_MS` before `now`, which is the database's time. */
  async alive(now: Date): Promise<WorkerRecord[]> {
    return await this.#workers.find({
      filter: { seenAt: { $gt: new Date(now.getTime() - WORKER_DEAD_AFTER_MS) } },
      limit: 1_000,
    });
  }
}
