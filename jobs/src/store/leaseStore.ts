/** A lease: one holder among any number of processes, by the store's clock alone. */
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection } from './documentCollection.ts';

interface Lease {
  readonly _id: string;
  readonly owner: string;
  readonly expiresAt: Date;
}

export class LeaseStore {
  readonly #leases: DocumentCollection<Lease>;

  constructor(database: StoreDatabase) {
    this.#leases = database.collection<Lease>('leases');
  }

  /**
   * @returns whether `owner` holds the lease for the next `forMs`; call again well before it ends.
   * The condition stands in the update and not in the filter, because neither MongoDB nor DocumentDB takes `$expr` in
   * the filter of an upsert.
   */
  async hold(name: string, owner: string, forMs: number): Promise<boolean> {
    const isMine = {
      $or: [
        { $eq: ['$owner', owner] },
        { $lt: [{ $ifNull: ['$expiresAt', new Date(0)] }, '$$NOW'] },
      ],
    };
    const lease = await this.#leases.upsert(name, [
      {
        $set: {
          owner: { $cond: [isMine, owner, '$owner'] },
          expiresAt: { $cond: [isMine, { $add: ['$$NOW', forMs] }, '$expiresAt'] },
        },
      },
    ]);
    return lease?.owner === owner;
  }

  async release(name: string, owner: string): Promise<void> {
    await this.#leases.deleteOne(name, { owner });
  }
}
