/** Reads the collection `runs`, which `jobs` writes, by what a run of workouts asks for. */
import type { RunRecord } from '@fit/jobs';
import {
  type DocumentCollection,
  RUN_SUMMARY_FIELDS,
  type RunSummary,
  type StoreDatabase,
} from '@fit/jobs/store';

/** The runs of a day: those for everyone before all others, each the newest first. */
const OF_DAY = { 'request.date': 1, 'request.isForEveryone': -1, createdAt: -1 } as const;

export class WodRunStore {
  readonly #runs: DocumentCollection<RunRecord>;

  constructor(database: StoreDatabase) {
    this.#runs = database.collection<RunRecord>('runs');
  }

  async ensureIndexes(): Promise<void> {
    await this.#runs.ensureIndex(OF_DAY);
  }

  /** Runs for everyone come first, so no number of runs for some users hides the daily run. */
  async ofDay(date: string, limit: number): Promise<RunSummary[]> {
    return await this.#runs.find({
      filter: { 'request.date': date },
      sort: OF_DAY,
      limit,
      fields: RUN_SUMMARY_FIELDS,
    });
  }
}
