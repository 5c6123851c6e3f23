/** Reads and revives the dead jobs of the collection `jobs`, for replays. */
import type { DeathCause } from '@fit/topology';
import {
  type JobRecord,
  STORED_REPLAYS_LIMIT,
  STORED_TRACELINKS_LIMIT,
} from '../record/jobRecord.ts';
import { allowedBefore, TRANSITIONS } from '../record/transitions.ts';
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection, Filter } from './documentCollection.ts';
import { lookUp } from './jobChanges.ts';

/** Selects dead jobs: every given field must match; without fields all dead jobs match. */
export interface ReplayFilter {
  /** The jobs of these ids; at most a few thousand. */
  readonly ids?: readonly string[];
  /** A regular expression that the whole key of a job matches. */
  readonly keyPattern?: string;
  readonly cause?: DeathCause;
  readonly fingerprint?: string;
  readonly kind?: string;
  /** The run that created the job. */
  readonly runId?: string;
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

/** What dead jobs have in common that are counted together. */
interface CountedGroup {
  readonly fingerprint: string;
  readonly cause: string;
  readonly kind: string;
  /** Hours since 1970 until the hour of the deaths; -1: before `since`. */
  readonly hour: number;
}

export interface DeadJobCount extends CountedGroup {
  readonly count: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
  /** One of these jobs, and why it died. */
  readonly jobId: string;
  readonly reason: string;
}

const HOUR_MS = 3_600_000;

export interface DeadJob {
  readonly _id: string;
  readonly kind: string;
  readonly runId: string;
  readonly cause: string;
  readonly isUrgent: boolean;
}

export interface DeadJobWithPayload extends DeadJob {
  readonly payload: unknown;
  /** Why it died. */
  readonly reason: string;
}

/** The payload that a replay stores for one job; the first one that a job ever had stays in the record as well. */
export interface PayloadEdit {
  readonly id: string;
  readonly payload: unknown;
}

/** What a replay does to dead jobs. */
export interface ReplayChange {
  readonly operationId: string;
  /** The batch that publishes the jobs. */
  readonly batch: string;
  /** Jobs that died later do not change. */
  readonly diedUntil: Date;
  /** Absent: the payloads stay as they are. Else one for each of the jobs. */
  readonly edits?: readonly PayloadEdit[] | undefined;
  readonly traceparent?: string | undefined;
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

  /**
   * Counts dead jobs, in one pass over the index of states.
   * @param since deaths from then on are counted by the hour, those before together.
   * @param jobLimit jobs that are counted at most; with more dead jobs some are not.
   * @returns at most `rowLimit` rows, the largest first.
   */
  async countByGroup(
    since: Date,
    { jobLimit, rowLimit }: { readonly jobLimit: number; readonly rowLimit: number },
  ): Promise<DeadJobCount[]> {
    const hour = { $floor: { $divide: [{ $subtract: ['$stateAt', new Date(0)] }, HOUR_MS] } };
    const rows = await this.#jobs.aggregate<
      Omit<DeadJobCount, keyof CountedGroup> & { readonly _id: CountedGroup }
    >(
      [
        { $match: deadJobs({}) },
        { $limit: jobLimit },
        {
          $group: {
            _id: {
              fingerprint: '$death.fingerprint',
              cause: '$death.cause',
              kind: '$kind',
              hour: { $cond: [{ $gte: ['$stateAt', since] }, hour, -1] },
            },
            count: { $sum: 1 },
            firstAt: { $min: '$stateAt' },
            lastAt: { $max: '$stateAt' },
            jobId: { $first: '$_id' },
            reason: { $first: '$death.reason' },
          },
        },
        { $sort: { count: -1 } },
        { $limit: rowLimit },
      ],
      rowLimit,
    );
    return rows.map(({ _id, ...row }) => ({ ..._id, ...row }));
  }

  /** @param diedUntil default: all. */
  async count(filter: ReplayFilter, diedUntil?: Date): Promise<number> {
    return await this.#jobs.count(deadJobs(filter, diedUntil));
  }

  /** @returns jobs that died no later than `diedUntil`, in any order. */
  async next(filter: ReplayFilter, diedUntil: Date, limit: number): Promise<DeadJob[]> {
    return (await this.#find(filter, diedUntil, limit, [])).map(toDeadJob);
  }

  /** As `next`, with payload and reason, for those who look at the jobs or edit them. */
  async nextWithPayload(
    filter: ReplayFilter,
    diedUntil: Date,
    limit: number,
  ): Promise<DeadJobWithPayload[]> {
    const found = await this.#find(filter, diedUntil, limit, ['payload', 'death.reason']);
    return found.map((job) => ({
      ...toDeadJob(job),
      payload: job.payload,
      reason: job.death?.reason ?? '',
    }));
  }

  async #find(
    filter: ReplayFilter,
    diedUntil: Date,
    limit: number,
    fields: readonly string[],
  ): Promise<JobRecord[]> {
    return await this.#jobs.find({
      filter: deadJobs(filter, diedUntil),
      limit,
      fields: ['kind', 'runId', 'isUrgent', 'death.cause', ...fields],
    });
  }

  /**
   * Makes dead jobs pending in a batch, with a new generation and no spent attempts. The condition on state and time of death lets
   * only one of two concurrent replays change a job, and each operation change it once.
   * @returns how many jobs this call changed; fewer also where a statement lost its connection and was repeated.
   */
  async makePending(ids: readonly string[], change: ReplayChange): Promise<number> {
    const { operationId, batch, diedUntil, edits, traceparent } = change;
    const generation = { $add: ['$generation', 1] };
    const replay = { operationId: { $literal: operationId }, at: '$$NOW', generation };
    const append = (field: string, item: unknown, limit: number) => ({
      $slice: [{ $concatArrays: [{ $ifNull: [`$${field}`, []] }, [item]] }, -limit],
    });
    const { modifiedCount } = await this.#jobs.updateMany(
      ids,
      { state: allowedBefore('replay'), stateAt: { $lte: diedUntil } },
      [
        {
          $set: {
            state: TRANSITIONS.replay.to,
            stateAt: '$$NOW',
            batch: { $literal: batch },
            attemptCount: 0,
            generation,
            replays: append('replays', replay, STORED_REPLAYS_LIMIT),
            ...(traceparent === undefined
              ? {}
              : { tracelinks: append('tracelinks', traceparent, STORED_TRACELINKS_LIMIT) }),
            ...(edits === undefined
              ? {}
              : {
                  payload: lookUp(
                    edits.map(({ id }) => id),
                    edits.map(({ payload }) => payload),
                  ),
                  originalPayload: { $ifNull: ['$originalPayload', '$payload'] },
                }),
          },
        },
        { $unset: 'death' },
      ],
    );
    return modifiedCount;
  }

  /** @returns which of these jobs the operation has replayed, and why it did not replay the others. */
  async replayedAmong(
    ids: readonly string[],
    operationId: string,
    diedUntil: Date,
  ): Promise<{ replayedIds: string[]; skipped: { id: string; reason: string }[] }> {
    const found = await this.#jobs.findByIds(ids, ['state', 'stateAt', 'replays']);
    const byId = new Map(found.map((job) => [job._id, job]));
    const isReplayed = (id: string) =>
      byId.get(id)?.replays?.some((replay) => replay.operationId === operationId) === true;
    return {
      replayedIds: ids.filter(isReplayed),
      skipped: ids
        .filter((id) => !isReplayed(id))
        .map((id) => ({
          id,
          reason: reasonToSkip(byId.get(id), diedUntil) ?? 'changed meanwhile',
        })),
    };
  }

  /** @returns those of these jobs that a replay would skip, and why. */
  async skippedAmong(
    ids: readonly string[],
    diedUntil: Date,
  ): Promise<{ id: string; reason: string }[]> {
    const found = await this.#jobs.findByIds(ids, ['state', 'stateAt']);
    const byId = new Map(found.map((job) => [job._id, job]));
    return ids.flatMap((id) => {
      const reason = reasonToSkip(byId.get(id), diedUntil);
      return reason === undefined ? [] : [{ id, reason }];
    });
  }
}

/** @returns why a replay leaves the job alone, as a phrase about it; undefined where it does not. */
function reasonToSkip(
  job: Pick<JobRecord, 'state' | 'stateAt'> | undefined,
  diedUntil: Date,
): string | undefined {
  if (job === undefined) return 'does not exist';
  if (job.state !== 'dead') return `is ${job.state}`;
  if (job.stateAt > diedUntil) return `died after ${diedUntil.toISOString()}`;
  return undefined;
}

function toDeadJob({ _id, kind, runId, isUrgent, death }: JobRecord): DeadJob {
  return { _id, kind, runId, cause: death?.cause ?? 'unknown', isUrgent: isUrgent === true };
}

/**
 * @param diedUntil without it all dead jobs match. The database uses the partial index only with a bound on `stateAt`, so
 * there is always a lower one.
 */
function deadJobs(filter: ReplayFilter, diedUntil?: Date): Filter<JobRecord> {
  const pattern = idPattern(filter);
  const created = {
    ...(filter.createdSince === undefined ? {} : { $gte: filter.createdSince }),
    ...(filter.createdUntil === undefined ? {} : { $lt: filter.createdUntil }),
  };
  const id = {
    ...(filter.ids === undefined ? {} : { $in: [...filter.ids] }),
    ...(pattern === undefined ? {} : { $regex: pattern }),
  };
  return {
    state: 'dead',
    stateAt: { $gt: new Date(0), ...(diedUntil === undefined ? {} : { $lte: diedUntil }) },
    ...(filter.cause === undefined ? {} : { 'death.cause': filter.cause }),
    ...(filter.fingerprint === undefined ? {} : { 'death.fingerprint': filter.fingerprint }),
    ...(filter.kind === undefined ? {} : { kind: filter.kind }),
    ...(filter.runId === undefined ? {} : { runId: filter.runId }),
    ...(filter.reasonPattern === undefined
      ? {}
      : { 'death.reason': { $regex: filter.reasonPattern } }),
    ...(Object.keys(created).length === 0 ? {} : { createdAt: created }),
    ...(Object.keys(id).length === 0 ? {} : { _id: id }),
  };
}
