/** A replay makes dead jobs pending again, with a new generation. The relay then publishes them, without their old headers. */
import { setTimeout as pause } from 'node:timers/promises';
import type { DeathCause } from '@fit/topology';
import type { JobRecord } from '../record/jobRecord.ts';
import { allowedBefore, type JobState, TRANSITIONS } from '../record/transitions.ts';
import type { StoreDatabase } from '../store/connectStore.ts';
import type { DocumentCollection } from '../store/documentCollection.ts';
import { linkToTrace } from '../store/jobChanges.ts';

/** Selects dead jobs: every given field must match; without fields all dead jobs match. */
export interface ReplayFilter {
  readonly userId?: string;
  readonly cause?: DeathCause;
  /** YYYY-MM-DD. */
  readonly date?: string;
}

/** @returns the filter as a query on dead job records. */
function deadJobs(filter: ReplayFilter): Record<string, unknown> {
  return {
    state: 'dead',
    ...(filter.userId === undefined ? {} : { 'key.userId': filter.userId }),
    ...(filter.cause === undefined ? {} : { 'death.cause': filter.cause }),
    ...(filter.date === undefined ? {} : { 'key.date': filter.date }),
  };
}

interface ReplayedRecord extends JobRecord {
  /** The latest replay of the job. */
  readonly replayId?: string;
}

export interface DeadGroup {
  readonly cause: string;
  readonly fingerprint: string;
  readonly reason: string;
  readonly count: number;
}

/** Identifies a replay. */
export interface Replay {
  readonly replayId: string;
  readonly traceparent?: string | undefined;
}

export class ReplayStore {
  readonly #jobs: DocumentCollection<ReplayedRecord>;

  constructor(database: StoreDatabase) {
    this.#jobs = database.collection<ReplayedRecord>('jobs');
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
      { $limit: 20 },
    ]);
    return rows.map(({ _id, reason, count }) => ({ ..._id, reason, count }));
  }

  async count(filter: ReplayFilter): Promise<number> {
    return await this.#jobs.count(deadJobs(filter));
  }

  /** @returns ids of jobs that died no later than `diedBefore`, so that a job that dies again is not replayed twice. */
  async next(filter: ReplayFilter, diedBefore: Date, limit: number): Promise<string[]> {
    const found = await this.#jobs.find({
      filter: { ...deadJobs(filter), stateAt: { $lte: diedBefore } },
      sort: { _id: 1 },
      limit,
      fields: ['_id'],
    });
    return found.map(({ _id }) => _id);
  }

  /**
   * Makes dead jobs pending, with a new generation and no spent attempts. The condition on the state lets only one of two
   * concurrent replays change a job.
   * @returns how many jobs this call changed.
   */
  async makePending(ids: readonly string[], replay: Replay, now: Date): Promise<number> {
    const { replayId, traceparent } = replay;
    const result = await this.#jobs.updateMany(
      ids,
      { state: allowedBefore('replay') },
      {
        $set: {
          state: TRANSITIONS.replay.to,
          stateAt: now,
          dueAt: now,
          attemptCount: 0,
          replayId,
        },
        $inc: { generation: 1 },
        $unset: { death: '', deferred: '' },
        ...linkToTrace(traceparent),
      },
    );
    return result.modifiedCount;
  }

  /** @returns the number of jobs of a replay, by state. */
  async progress(replayId: string): Promise<Partial<Record<JobState, number>>> {
    const rows = await this.#jobs.aggregate<{ _id: JobState; count: number }>([
      { $match: { replayId } },
      { $group: { _id: '$state', count: { $sum: 1 } } },
    ]);
    return Object.fromEntries(rows.map(({ _id, count }) => [_id, count]));
  }
}

export interface ReplayOptions {
  readonly store: ReplayStore;
  readonly filter: ReplayFilter;
  readonly replayId: string;
  /** Trace of this replay; the next publish of each job links to it. */
  readonly traceparent?: string | undefined;
  /** Jobs per second; undefined: as fast as the store accepts them. */
  readonly ratePerSecond: number | undefined;
  /** Called after each group, with the number of jobs that are pending again so far. */
  readonly onProgress: (totalCount: number) => void;
}

/** Jobs in one statement at most. */
const GROUP_COUNT = 500;

/**
 * Replays every matching dead job. A process that is killed half-way leaves each job either dead, so that the next replay
 * finds it, or pending, so that the relay publishes it.
 * @returns how many jobs are pending again.
 */
export async function replayDead(options: ReplayOptions): Promise<number> {
  const { store, filter, ratePerSecond, onProgress } = options;
  // A job that dies again during this replay has a later time of death, so it is not replayed a second time.
  const diedBefore = new Date();
  const groupCount = Math.min(GROUP_COUNT, Math.max(1, Math.round(ratePerSecond ?? GROUP_COUNT)));
  let total = 0;
  for (;;) {
    const startedAt = performance.now();
    const ids = await store.next(filter, diedBefore, groupCount);
    if (ids.length === 0) return total;
    total += await store.makePending(ids, options, new Date());
    onProgress(total);
    if (ratePerSecond !== undefined)
      await pause(
        Math.max(0, (ids.length / ratePerSecond) * 1_000 - (performance.now() - startedAt)),
      );
  }
}
