/**
 * Leases in the database: each has at most one holder among all processes. Only the database's clock decides when one ends.
 * They spare work that two processes would do twice; they have no fences, because every write of their holders is also
 * correct beside another holder.
 */
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection } from './documentCollection.ts';
import { BACKGROUND_LIMITS, type StatementLimits } from './statement.ts';

interface Lease {
  readonly _id: string;
  readonly owner: string;
  readonly expiresAt: Date;
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
   * @returns true where `owner` holds the lease for the next `forMs` milliseconds, and must call again well before they end;
   * false where another process holds it.
   */
  async hold(name: string, owner: string, forMs: number): Promise<boolean> {
    const isAvailable = {
      $or: [
        { $eq: ['$owner', owner] },
        { $lt: [{ $ifNull: ['$expiresAt', new Date(0)] }, '$$NOW'] },
      ],
    };
    const lease = await this.#leases.upsert(name, [
      {
        $set: {
          owner: { $cond: [isAvailable, owner, '$owner'] },
          expiresAt: { $cond: [isAvailable, { $add: ['$$NOW', forMs] }, '$expiresAt'] },
        },
      },
    ]);
    return lease?.owner === owner;
  }

  /** Releases a lease, with a single try. @throws StoreUnavailable, StatementRefused; the lease then expires by itself. */
  async release(name: string, owner: string): Promise<void> {
    await this.#releases.updateOne(
      name,
      { $set: { owner: '', expiresAt: new Date(0) } },
      { owner },
    );
  }
}
