/** The collections `failures`, one document for each group, and `failureTotals`, one document. */
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';
import type { FailureCounts, FailureRecord, FailureState } from '../failure.ts';

export interface FailureTotals {
  readonly _id: string;
  /** The database's time of the counts. */
  readonly asOf: Date;
  /** All dead jobs. */
  readonly total: number;
  /** Whether every dead job is in the total. */
  readonly isExact: boolean;
}

const TOTALS_ID = 'all';
/** Groups that are kept; the dead jobs of smaller ones are only in the total. */
export const GROUP_LIMIT = 1_000;

export class FailureStore {
  readonly #failures: DocumentCollection<FailureRecord>;
  readonly #totals: DocumentCollection<FailureTotals>;

  constructor(database: StoreDatabase) {
    this.#failures = database.collection<FailureRecord>('failures');
    this.#totals = database.collection<FailureTotals>('failureTotals');
  }

  /** @returns every group, in the order of their fingerprints. */
  async all(): Promise<FailureRecord[]> {
    return await this.#failures.find({
      filter: { _id: { $gt: '' } },
      sort: { _id: 1 },
      limit: 2 * GROUP_LIMIT,
    });
  }

  async find(fingerprint: string): Promise<FailureRecord | undefined> {
    return await this.#failures.findOne(fingerprint);
  }

  /** @returns undefined where nothing was counted yet. */
  async totals(): Promise<FailureTotals | undefined> {
    return await this.#totals.findOne(TOTALS_ID);
  }

  async insert(groups: readonly FailureRecord[]): Promise<void> {
    await this.#failures.insertNew(groups);
  }

  /** Replaces the counts of a group by newer ones. A death after the group was resolved opens it again. */
  async count(fingerprint: string, counts: FailureCounts, asOf: Date): Promise<void> {
    const isReopened = {
      $and: [{ $eq: ['$state', 'resolved'] }, { $gt: [counts.lastAt, '$stateAt'] }],
    };
    const { sample, ...others } = counts;
    const literal = Object.fromEntries(
      Object.entries(others).map(([field, value]) => [field, { $literal: value }]),
    );
    await this.#failures.updateOne(
      fingerprint,
      [
        {
          $set: {
            ...literal,
            ...(sample === undefined ? {} : { sample: { $literal: sample } }),
            asOf,
            state: { $cond: [isReopened, 'open', '$state'] },
            stateAt: { $cond: [isReopened, '$$NOW', '$stateAt'] },
          },
        },
        ...(sample === undefined ? [{ $unset: 'sample' }] : []),
      ],
      { asOf: { $lt: asOf } },
    );
  }

  async setTotals(totals: Omit<FailureTotals, '_id'>): Promise<void> {
    await this.#totals.upsert(TOTALS_ID, { $set: totals });
  }

  /** @returns the changed group; undefined where there is none. */
  async setState(fingerprint: string, state: FailureState): Promise<FailureRecord | undefined> {
    return await this.#failures.findOneAndUpdate(fingerprint, {}, [
      { $set: { state, stateAt: '$$NOW' } },
    ]);
  }

  /** Deletes groups, unless they were counted since. */
  async delete(fingerprints: readonly string[], asOf: Date): Promise<void> {
    await this.#failures.deleteMany(fingerprints, { asOf: { $lte: asOf } });
  }
}
