/** The runs collection: who was asked for, when, and under which idempotency key. */
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';

export interface Run {
  /** The run's id. A run with an idempotency key has an id made from it, so that two at once make one. */
  readonly _id: string;
  readonly date: string;
  /** Hash of the request, to tell a repeat from another request under the same key. */
  readonly requestHash: string;
  readonly createdAt: Date;
  /** It named no users. Absent in runs from before this was recorded: they count as asked for some. */
  readonly isForEveryone?: boolean;
  /** Absent until every job is recorded: such a run is being recorded or was interrupted, and a repeat resumes it. */
  readonly accepted?: {
    readonly total: number;
    readonly created: number;
    readonly skipped: number;
  };
}

/** A day's runs: those for everyone first, whatever came after them; then the newest. */
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

  /** @returns the run as it stands: the given one, or the one that was there before under this id. */
  async open(run: Run): Promise<Run> {
    return (await this.#runs.upsert(run._id, { $setOnInsert: run })) ?? run;
  }

  async accept(id: string, accepted: NonNullable<Run['accepted']>): Promise<void> {
    await this.#runs.updateOne(id, { $set: { accepted } });
  }

  async find(id: string): Promise<Run | undefined> {
    return await this.#runs.findOne(id);
  }

  /** Runs for everyone before all others, each the newest first, so that no number of small runs hides the daily one. */
  async ofDay(date: string, limit: number): Promise<Run[]> {
    return await this.#runs.find({ filter: { date }, sort: OF_DAY, limit });
  }

  async newest(limit: number): Promise<Run[]> {
    return await this.#runs.find({ filter: {}, sort: { createdAt: -1 }, limit });
  }
}
