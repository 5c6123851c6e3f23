/** Reads workouts. Only the coach writes them. */
import { WODS_COLLECTION, type Wod, type WodDocument, wodId, wodOf } from '@fit/contract';
import type { Collection, Db } from 'mongodb';

export class WodReader {
  readonly #wods: Collection<WodDocument>;

  constructor(database: Db) {
    this.#wods = database.collection<WodDocument>(WODS_COLLECTION);
  }

  async find(userId: string, date: string): Promise<Wod | undefined> {
    const found = await this.#wods.findOne({ _id: wodId(userId, date) });
    return found === null ? undefined : wodOf(found);
  }
}
