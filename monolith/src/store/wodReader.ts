/** Reads workouts. Only the coach writes them. */
import { WODS_COLLECTION, type Wod, type WodDocument, wodId, wodOf } from '@fit/contract';
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';

export class WodReader {
  readonly #wods: DocumentCollection<WodDocument>;

  constructor(database: StoreDatabase) {
    this.#wods = database.collection<WodDocument>(WODS_COLLECTION);
  }

  async find(userId: string, date: string): Promise<Wod | undefined> {
    const found = await this.#wods.findOne(wodId(userId, date));
    return found === undefined ? undefined : wodOf(found);
  }
}
