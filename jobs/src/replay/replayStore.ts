/** Dead jobs: counted by cause, brought back in small groups, followed to their end. */
import type { JobRecord } from '../record/jobRecord.ts';
import { allowedBefore, type JobState, TRANSITIONS } from '../record/transitions.ts';
import type { StoreDatabase } from '../store/connectStore.ts';
import type { DocumentCollection } from '../store/documentCollection.ts';
import { linkTo } from '../store/linkTo.ts';
import { deadJobs, type ReplayFilter } from './replayFilter.ts';

interface ReplayedRecord extends JobRecord {
  /** The newest replay that brought it back. */
  readonly replayId?: string;
}

export interface DeadGroup {
  readonly cause: string;
  readonly fingerprint: string;
  readonly reason: string;
  readonly count: number;
}

/** Which replay brings a job back. */
export interface Replay {
  readonly replayId: string;
  readonly traceparent?: string | undefined;
}

export class ReplayStore {
  readonly #jobs: DocumentCollection<ReplayedRecord>;

  constructor(database: StoreDatabase) {
    this.#jobs = database.collection<ReplayedRecord>('jobs');
  }

  /** Largest group first, at most 20. */
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

  /** @returns ids of jobs that died by `diedBefore`, so that one that fails again is not taken twice. */
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
   * Dead → pending with a new generation and a full budget. Guarded: two replays at once bring a job back once.
   * @returns how many this call brought back.
   */
  async revive(ids: readonly string[], replay: Replay, now: Date): Promise<number> {
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
        ...linkTo(traceparent),
      },
    );
    return result.modifiedCount;
  }

  /** @returns how the jobs of a replay stand, by state. */
  async progress(replayId: string): Promise<Partial<Record<JobState, number>>> {
    const rows = await this.#jobs.aggregate<{ _id: JobState; count: number }>([
      { $match: { replayId } },
      { $group: { _id: '$state', count: { $sum: 1 } } },
    ]);
    return Object.fromEntries(rows.map(({ _id, count }) => [_id, count]));
  }
}
