/** A lease: one holder among any number of processes, by the store's clock alone. */
import { type Collection, type Db, MongoServerError } from 'mongodb';

interface Lease {
  readonly _id: string;
  readonly owner: string;
  readonly expiresAt: Date;
}

export class LeaseStore {
  readonly #leases: Collection<Lease>;

  constructor(database: Db) {
    this.#leases = database.collection<Lease>('leases');
  }

  /** @returns whether `owner` holds the lease for the next `forMs`; call again well before it ends. */
  async hold(name: string, owner: string, forMs: number): Promise<boolean> {
    try {
      const result = await this.#leases.updateOne(
        {
          _id: name,
          $expr: { $or: [{ $eq: ['$owner', owner] }, { $lt: ['$expiresAt', '$$NOW'] }] },
        },
        [{ $set: { owner, expiresAt: { $add: ['$$NOW', forMs] } } }],
        { upsert: true },
      );
      return result.matchedCount + result.upsertedCount === 1;
    } catch (error) {
      // Somebody else holds it: the filter found nothing, so the upsert met the existing id.
      if (error instanceof MongoServerError && error.code === 11_000) return false;
      throw error;
    }
  }

  async release(name: string, owner: string): Promise<void> {
    await this.#leases.deleteOne({ _id: name, owner });
  }
}
