/** The collection `wods`: one workout for each user and date, without its texts; the first one that is stored stays. */
import {
  findStoredWods,
  WODS_COLLECTION,
  type Wod,
  type WodDocument,
  type WodJob,
  wodId,
  wodOf,
} from '@fit/contract';
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';

export class WodStore {
  readonly #wods: DocumentCollection<WodDocument>;

  constructor(database: StoreDatabase) {
    this.#wods = database.collection<WodDocument>(WODS_COLLECTION);
  }

  /**
   * Stores many workouts at once. A workout that exists already counts as stored: user and date are its `_id`, so a redelivered or
   * duplicated job cannot make a second workout, however late it runs.
   * @throws StoreUnavailable, StatementRefused
   */
  async storeAll(wods: readonly WodDocument[]): Promise<void> {
    await this.#wods.insertNew(wods);
  }

  /** @returns the ids of the jobs whose workout is stored. @throws StoreUnavailable, StatementRefused */
  async findStored(jobs: readonly WodJob[]): Promise<ReadonlySet<string>> {
    return await findStoredWods(this.#wods, jobs);
  }

  /** @throws StoreUnavailable, StatementRefused, UnreadableWorkout */
  async find(userId: string, date: string): Promise<Wod | undefined> {
    const found = await this.#wods.findOne(wodId(userId, date));
    return found === undefined ? undefined : wodOf(found);
  }
}
