/** The sessions of browsers. */
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';
import { SESSIONS_COLLECTION, type SessionDocument } from '@fit/service';

export class SessionStore {
  readonly #sessions: DocumentCollection<SessionDocument>;

  constructor(database: StoreDatabase) {
    this.#sessions = database.collection<SessionDocument>(SESSIONS_COLLECTION);
  }

  async ensureIndexes(): Promise<void> {
    await this.#sessions.ensureIndex({ expiresAt: 1 }, { expireAfterSeconds: 0 });
    await this.#sessions.ensureIndex({ accountId: 1 });
  }

  async create(session: SessionDocument): Promise<void> {
    await this.#sessions.insertNew([session]);
  }

  async deleteOfAccount(accountId: string): Promise<void> {
    const found = await this.#sessions.find({ filter: { accountId }, limit: 500, fields: ['_id'] });
    await this.#sessions.deleteMany(found.map(({ _id }) => _id));
  }

  async delete(id: string): Promise<void> {
    await this.#sessions.deleteMany([id]);
  }
}
