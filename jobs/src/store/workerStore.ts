/**
 * The collection `workers`: which messages each worker has in hand, so that none of them is taken for lost; what the worker does,
 * and whether it was told to take no more.
 */
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection, Filter } from './documentCollection.ts';

/** Somebody told a worker, or all workers of a queue, to take no more messages. */
export interface Pause {
  /** By the database's clock. */
  readonly since: Date;
  /** Id of the account. */
  readonly by: string;
  readonly reason: string;
}

/** What a worker tells about itself with each heartbeat. */
export interface WorkerStatus {
  readonly kind: string;
  /** Name of its queue on the broker. */
  readonly queue: string;
  /** Release of the program; empty where it has none. */
  readonly version: string;
  /** Handlers that run. */
  readonly runningCount: number;
  /** Messages that it has in hand at most. */
  readonly prefetchCount: number;
  /** True while it takes no messages: its queue is paused, or it is drained. */
  readonly isPaused: boolean;
  /** The settings in force in its process, of those that can be changed while it runs. */
  readonly settings: Readonly<Record<string, number | string>>;
}

export interface WorkerRecord extends WorkerStatus {
  /** Id of the worker, as its connections and attempts name it. A process that starts again has new workers. */
  readonly _id: string;
  /** Time of the last heartbeat by the database's clock. */
  readonly seenAt: Date;
  /** Time of the first heartbeat by the database's clock. */
  readonly startedAt: Date;
  /** Jobs whose messages are delivered to the worker and not settled, prefetched ones included. */
  readonly jobIds: readonly string[];
  /** The worker finishes what runs and takes no more; absent where nobody told it so. */
  readonly drain?: Pause;
}

/** A worker with the number of the jobs that it has in hand instead of their ids, which may be thousands. */
export interface ListedWorker extends Omit<WorkerRecord, 'jobIds'> {
  readonly inHandCount: number;
}

/** A worker writes its heartbeat this often, in milliseconds. */
export const HEARTBEAT_MS = 5_000;
/** A worker without a heartbeat for longer is dead: the broker has given its messages to others. In milliseconds. */
export const WORKER_DEAD_AFTER_MS = 20_000;
/** The database deletes the record of a dead worker after this time, in seconds. */
const EXPIRE_SECONDS = 3_600;
const LISTED_FIELDS = [
  'kind',
  'queue',
  'version',
  'runningCount',
  'prefetchCount',
  'isPaused',
  'settings',
  'seenAt',
  'startedAt',
  'drain',
] as const satisfies readonly (keyof WorkerRecord)[];

export class WorkerStore {
  readonly #workers: DocumentCollection<WorkerRecord>;

  constructor(database: StoreDatabase) {
    this.#workers = database.collection<WorkerRecord>('workers');
  }

  async ensureIndexes(): Promise<void> {
    await this.#workers.ensureIndex({ seenAt: 1 }, { expireAfterSeconds: EXPIRE_SECONDS });
  }

  /** @returns what somebody told the worker: the heartbeat reads it, so that it costs no statement of its own. */
  async beat(
    id: string,
    status: WorkerStatus,
    jobIds: readonly string[],
  ): Promise<Pick<WorkerRecord, 'drain'>> {
    const told = Object.fromEntries(
      Object.entries({ ...status, jobIds }).map(([field, value]: [string, unknown]) => [
        field,
        { $literal: value },
      ]),
    );
    const record = await this.#workers.upsert(id, [
      {
        $set: {
          ...told,
          seenAt: '$$NOW',
          startedAt: { $ifNull: ['$startedAt', '$$NOW'] },
        },
      },
    ]);
    return record ?? {};
  }

  async remove(id: string): Promise<void> {
    await this.#workers.deleteOne(id, {});
  }

  /** @returns the workers that had a heartbeat within `WORKER_DEAD_AFTER_MS` before `now`, which is the database's time. */
  async alive(now: Date): Promise<WorkerRecord[]> {
    return await this.#workers.find({
      filter: isAlive(now),
      limit: 1_000,
    });
  }

  /** @returns workers in the order of their ids, also dead ones until their records expire. */
  async list(after: string, limit: number): Promise<ListedWorker[]> {
    return await this.#workers.find<ListedWorker>({
      filter: { _id: { $gt: after } },
      sort: { _id: 1 },
      limit,
      fields: LISTED_FIELDS,
      computed: { inHandCount: { $size: '$jobIds' } },
    });
  }

  /**
   * Tells a living worker to take no more; it obeys with its next heartbeat. Where it is drained already, nothing changes.
   * @param now the database's time.
   * @returns the worker; undefined where no living one has this id.
   */
  async drain(
    id: string,
    { by, reason }: Omit<Pause, 'since'>,
    now: Date,
  ): Promise<WorkerRecord | undefined> {
    const drain = { since: '$$NOW', by: { $literal: by }, reason: { $literal: reason } };
    return await this.#workers.findOneAndUpdate(id, isAlive(now), [
      { $set: { drain: { $ifNull: ['$drain', drain] } } },
    ]);
  }

  /** Ends a drain, as `drain` begins one. */
  async resume(id: string, now: Date): Promise<WorkerRecord | undefined> {
    return await this.#workers.findOneAndUpdate(id, isAlive(now), [{ $unset: 'drain' }]);
  }
}

/** @param now the database's time. */
function isAlive(now: Date): Filter<WorkerRecord> {
  return { seenAt: { $gt: new Date(now.getTime() - WORKER_DEAD_AFTER_MS) } };
}
