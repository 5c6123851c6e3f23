/** The runs: which day and users were requested, when, and what was recorded. */
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';

export interface Run {
  /** The id of the run. It is made from the idempotency key if there is one, so equal requests at once are one run. */
  readonly _id: string;
  readonly date: string;
  /** Hash of the request. A repeated request has the same hash; another request under the same key has a different one. */
  readonly requestHash: string;
  readonly createdAt: Date;
  /** True if the request named no users. */
  readonly isForEveryone: boolean;
  /** Absent until every job is recorded: the recording is under way, or was interrupted and is resumed by a repeated request. */
  readonly accepted?: {
    readonly total: number;
    readonly created: number;
    readonly skipped: number;
  };
}

/** The runs of a day: those for everyone before all others, each the newest first. */
const OF_DAY = { date: 1, isForEveryone: -1, createdAt: -1 } as const;

export class RunStore {
  readonly #runs: DocumentCollection<Run>;

  constructor(database: StoreDatabase) {
    this.#runs = database.collection<Run>('runs');
  }

  async ensureIndexes(): Promise<void> {
    await this.#runs.ensureIndex({ createdAt: -1 });
    await this.#runs.ensureIndex(OF_DAY);
  }

  /** @returns the stored run: the given one, or the one that had this id before. */
  async insertIfAbsent(run: Run): Promise<Run> {
    return (await this.#runs.upsert(run._id, { $setOnInsert: run })) ?? run;
  }

  /** Every job of the run is recorded. */
  async markRecorded(id: string, accepted: NonNullable<Run['accepted']>): Promise<void> {
    await this.#runs.updateOne(id, { $set: { accepted } });
  }

  async find(id: string): Promise<Run | undefined> {
    return await this.#runs.findOne(id);
  }

  /** Runs for everyone come first, so no number of runs for some users hides the daily run. */
  async ofDay(date: string, limit: number): Promise<Run[]> {
    return await this.#runs.find({ filter: { date }, sort: OF_DAY, limit });
  }

  async newest(limit: number): Promise<Run[]> {
    return await this.#runs.find({ filter: {}, sort: { createdAt: -1 }, limit });
  }
}
