/** A lease: one holder among any number of processes, by the store's clock alone. */
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection } from './documentCollection.ts';
import { BACKGROUND_LIMITS, type StatementLimits } from './statement.ts';

interface Lease {
  readonly _id: string;
  readonly owner: string;
  readonly expiresAt: Date;
}

/** Whoever releases is about to end; a lease that stays expires by itself. */
const RELEASE_LIMITS: StatementLimits = { ...BACKGROUND_LIMITS, tryCount: 1 };

/** Its statements have limits of their own, whatever those of the database are: each must end before a lease does. */
export class LeaseStore {
  readonly #leases: DocumentCollection<Lease>;
  readonly #releases: DocumentCollection<Lease>;

  constructor(database: StoreDatabase) {
    this.#leases = database.withLimits(BACKGROUND_LIMITS).collection<Lease>('leases');
    this.#releases = database.withLimits(RELEASE_LIMITS).collection<Lease>('leases');
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

  /** One try. @throws StoreUnavailable, StatementRefused; the lease then expires by itself. */
  async release(name: string, owner: string): Promise<void> {
    await this.#releases.deleteOne(name, { owner });
  }
}
