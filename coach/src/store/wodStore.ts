/** The wods collection: one workout per (userId, date), the first one stored wins. */
import { WODS_COLLECTION, type Wod, type WodDocument, wodId, wodOf } from '@fit/contract';
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';

export class WodStore {
  readonly #wods: DocumentCollection<WodDocument>;

  constructor(database: StoreDatabase) {
    this.#wods = database.collection<WodDocument>(WODS_COLLECTION);
  }

  /**
   * Stores many at once. One that is there already is success: its natural key is the `_id`, so a redelivered or
   * doubled job cannot make a second workout, however late it comes.
   * @throws StoreUnavailable, StatementRefused
   */
  async storeAll(wods: readonly WodDocument[]): Promise<void> {
    await this.#wods.insertNew(wods);
  }

  async find(userId: string, date: string): Promise<Wod | undefined> {
    const found = await this.#wods.findOne(wodId(userId, date));
    return found === undefined ? undefined : wodOf(found);
  }
}
