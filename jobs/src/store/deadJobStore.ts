/** Reads and revives the dead jobs of the collection `jobs`, for replays. */
import type { DeathCause } from '@fit/topology';
import type { JobRecord } from '../record/jobRecord.ts';
import { allowedBefore, TRANSITIONS } from '../record/transitions.ts';
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection, Filter } from './documentCollection.ts';
import { linkToTrace } from './jobChanges.ts';

/** Selects dead jobs: every given field must match; without fields all dead jobs match. */
export interface ReplayFilter {
  /** A regular expression that the whole key of a job matches. */
  readonly keyPattern?: string;
  readonly cause?: DeathCause;
  readonly kind?: string;
  /** A regular expression that the reason of the death matches. */
  readonly reasonPattern?: string;
  readonly createdSince?: Date;
  readonly createdUntil?: Date;
}

/**
 * It ends in a lookahead, because `$` also matches before a final line break in the database, but not in JavaScript.
 * @returns what the id of every job matches that the filter selects by its key; undefined where it does not ask for the key.
 */
export function idPattern({ keyPattern }: ReplayFilter): string | undefined {
  return keyPattern === undefined ? undefined : `^[^:]*:(?:${keyPattern})(?![\\s\\S])`;
}

/** Dead jobs with the same cause and fingerprint. */
export interface DeadGroup {
  readonly cause: string;
  readonly fingerprint: string;
  readonly reason: string;
  readonly count: number;
}

export interface DeadJob {
  readonly _id: string;
  readonly kind: string;
  readonly runId: string;
  readonly cause: string;
  readonly isUrgent: boolean;
}

const GROUPS_LIMIT = 20;

export class DeadJobStore {
  readonly #jobs: DocumentCollection<JobRecord>;

  constructor(database: StoreDatabase) {
    this.#jobs = database.collection<JobRecord>('jobs');
  }

  /** @returns groups of dead jobs by cause and fingerprint, the largest group first, at most 20. */
  async groups(filter: ReplayFilter): Promise<DeadGroup[]> {
    const rows = await this.#jobs.aggregate<{
      _id: { cause: string; fingerprint: string };
      reason: string;
      count: number;
    }>([
      { $match: deadJobs(filter) },
      {
        $group: {
          _id: { cause: '$death.cause', fingerprint: '$death.fingerprint' },
          reason: { $first: '$death.reason' },
          count: { $sum: 1 },
        },
      },
      { $sort: { count: -1 } },
      { $limit: GROUPS_LIMIT },
    ]);
    return rows.map(({ _id, reason, count }) => ({ ..._id, reason, count }));
  }

  async count(filter: ReplayFilter): Promise<number> {
    return await this.#jobs.count(deadJobs(filter));
  }

  /** @returns jobs that died no later than `diedBefore`, in any order. */
  async next(filter: ReplayFilter, diedBefore: Date, limit: number): Promise<DeadJob[]> {
    const found = await this.#jobs.find({
      filter: deadJobs(filter, diedBefore),
      limit,
      fields: ['kind', 'runId', 'isUrgent', 'death.cause'],
    });
    return found.map(({ _id, kind, runId, isUrgent, death }) => ({
      _id,
      kind,
      runId,
      cause: death?.cause ?? 'unknown',
      isUrgent: isUrgent === true,
    }));
  }

  /**
   * Makes dead jobs pending in a batch, with a new generation and no spent attempts. The condition on the state lets only one
   * of two concurrent replays change a job.
   * @returns how many jobs this call changed; fewer also where a statement lost its connection and was repeated.
   */
  async makePending(ids: readonly string[], batch: string, traceparent?: string): Promise<number> {
    const { modifiedCount } = await this.#jobs.updateMany(
      ids,
      { state: allowedBefore('replay') },
      {
        $set: { state: TRANSITIONS.replay.to, batch, attemptCount: 0 },
        $currentDate: { stateAt: true },
        $inc: { generation: 1 },
        $unset: { death: '' },
        ...linkToTrace(traceparent),
      },
    );
    return modifiedCount;
  }
}

/**
 * @param diedBefore without it all dead jobs match. The database uses the partial index only with a bound on `stateAt`, so
 * there is always a lower one.
 */
function deadJobs(filter: ReplayFilter, diedBefore?: Date): Filter<JobRecord> {
  const pattern = idPattern(filter);
  const created = {
    ...(filter.createdSince === undefined ? {} : { $gte: filter.createdSince }),
    ...(filter.createdUntil === undefined ? {} : { $lt: filter.createdUntil }),
  };
  return {
    state: 'dead',
    stateAt: { $gt: new Date(0), ...(diedBefore === undefined ? {} : { $lte: diedBefore }) },
    ...(filter.cause === undefined ? {} : { 'death.cause': filter.cause }),
    ...(filter.kind === undefined ? {} : { kind: filter.kind }),
    ...(filter.reasonPattern === undefined
      ? {}
      : { 'death.reason': { $regex: filter.reasonPattern } }),
    ...(Object.keys(created).length === 0 ? {} : { createdAt: created }),
    ...(pattern === undefined ? {} : { _id: { $regex: pattern } }),
  };
}
