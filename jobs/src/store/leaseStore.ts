/** Leases in the database: each has at most one holder among all processes. Only the database's clock decides when one ends. */
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection } from './documentCollection.ts';
import { BACKGROUND_LIMITS, type StatementLimits } from './statement.ts';

interface Lease {
  readonly _id: string;
  readonly owner: string;
  readonly expiresAt: Date;
  /** Raised by each new owner; a write that carries an older fence comes from a process that lost its lease. */
  readonly fence: number;
}

/** A process that releases its lease is about to end, so it tries only once; a lease that is not released expires by itself. */
const RELEASE_LIMITS: StatementLimits = { ...BACKGROUND_LIMITS, tryCount: 1 };

/** Its statements have limits of their own, because a statement must end before the lease does. */
export class LeaseStore {
  readonly #leases: DocumentCollection<Lease>;
  readonly #releases: DocumentCollection<Lease>;

  constructor(database: StoreDatabase) {
    this.#leases = database.withLimits(BACKGROUND_LIMITS).collection<Lease>('leases');
    this.#releases = database.withLimits(RELEASE_LIMITS).collection<Lease>('leases');
  }

  /**
   * Takes or renews a lease. The condition is in the update and not in the filter, because neither MongoDB nor DocumentDB
   * accepts `$expr` in the filter of an upsert.
   * @returns the fence of the lease where `owner` holds it for the next `forMs` milliseconds, and must call again well before
   * they end; undefined where another process holds it.
   */
  async hold(name: string, owner: string, forMs: number): Promise<number | undefined> {
    const isAvailable = {
      $or: [
        { $eq: ['$owner', owner] },
        { $lt: [{ $ifNull: ['$expiresAt', new Date(0)] }, '$$NOW'] },
      ],
    };
    const lease = await this.#leases.upsert(name, [
      {
        $set: {
          fence: {
            $cond: [
              { $and: [isAvailable, { $ne: ['$owner', owner] }] },
              { $add: [{ $ifNull: ['$fence', 0] }, 1] },
              '$fence',
            ],
          },
          owner: { $cond: [isAvailable, owner, '$owner'] },
          expiresAt: { $cond: [isAvailable, { $add: ['$$NOW', forMs] }, '$expiresAt'] },
        },
      },
    ]);
    return lease?.owner === owner ? lease.fence : undefined;
  }

  /** Releases a lease, with a single try. @throws StoreUnavailable, StatementRefused; the lease then expires by itself. */
  async release(name: string, owner: string): Promise<void> {
    // The document stays, because the next fence must be higher than all before.
    await this.#releases.updateOne(
      name,
      { $set: { owner: '', expiresAt: new Date(0) } },
      { owner },
    );
  }
}
