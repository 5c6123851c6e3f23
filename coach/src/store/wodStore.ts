/** The wods collection: one workout per (userId, date), the first one stored wins. */
import { WODS_COLLECTION, type Wod, type WodDocument, wodId, wodOf } from '@fit/contract';
import { duplicateIndexes } from '@fit/jobs/store';
import type { Collection, Db } from 'mongodb';

export class WodStore {
  readonly #wods: Collection<WodDocument>;

  constructor(database: Db) {
    this.#wods = database.collection<WodDocument>(WODS_COLLECTION);
  }

  /**
   * Stores many at once. One that is there already is success: its natural key is the `_id`, so a redelivered or
   * doubled job cannot make a second workout, however late it comes.
   * @throws the driver's error where the store is out.
   */
  async storeAll(wods: readonly WodDocument[]): Promise<void> {
    try {
      await this.#wods.insertMany([...wods], { ordered: false });
    } catch (error) {
      duplicateIndexes(error);
    }
  }

  async find(userId: string, date: string): Promise<Wod | undefined> {
    const found = await this.#wods.findOne({ _id: wodId(userId, date) });
    return found === null ? undefined : wodOf(found);
  }
}
