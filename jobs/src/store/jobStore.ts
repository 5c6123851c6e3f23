/** The jobs collection: inserts, guarded changes in bulk, counts. The only file that writes job records. */

import { type JobRecord, STORED_RUNS_LIMIT } from '../record/jobRecord.ts';
import type { ComparedFields } from '../record/messageAgreement.ts';
import { JOB_STATES, type JobState, LIVE_STATES, type Transition } from '../record/transitions.ts';
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection } from './documentCollection.ts';
import { type Change, changeStatements, linkToTrace } from './jobChanges.ts';

export interface Accepted {
  readonly created: number;
  readonly skipped: number;
}

export class JobStore {
  readonly #jobs: DocumentCollection<JobRecord>;

  constructor(database: StoreDatabase) {
    this.#jobs = database.collection<JobRecord>('jobs');
  }

  /** One index serves the relay and the reconciler, the other one the runs. Every further index would slow every write. */
  async ensureIndexes(): Promise<void> {
    await this.#jobs.ensureIndex({ state: 1, stateAt: 1 });
    await this.#jobs.ensureIndex({ runIds: 1 });
  }

  /**
   * Inserts the jobs that do not exist; an existing job only gets the run's id. Safe to repeat and to run at the same time:
   * every call for the same run returns the same counts.
   * @param jobs at most a few thousand, all of one run.
   * @returns how many of them this run created, now or in an earlier call.
   * @throws StoreUnavailable, StatementRefused
   */
  async accept(runId: string, jobs: readonly JobRecord[]): Promise<Accepted> {
    if (jobs.length === 0) return { created: 0, skipped: 0 };
    const existing = await this.#jobs.insertNew(jobs);
    if (existing.size === 0) return { created: jobs.length, skipped: 0 };
    const ids = [...existing].sort();
    await this.#jobs.updateMany(
      ids,
      { runIds: { $ne: runId } },
      { $push: { runIds: { $each: [runId], $slice: -STORED_RUNS_LIMIT } } },
    );
    // A job's first run created it, so an interrupted call of this run may have created some of the existing ones.
    const ownCount = await this.#jobs.count({ _id: { $in: ids }, 'runIds.0': runId });
    const created = jobs.length - existing.size + ownCount;
    return { created, skipped: jobs.length - created };
  }

  /** @returns pending jobs that are due, oldest first. */
  async pending(limit: number, now: Date): Promise<JobRecord[]> {
    return await this.#jobs.find({
      filter: { state: 'pending', dueAt: { $lte: now } },
      sort: { stateAt: 1 },
      limit,
    });
  }

  /** Marks published jobs as queued; a job that its worker has already finished stays finished. */
  async markQueued(jobs: readonly JobRecord[], now: Date): Promise<void> {
    const generations = Map.groupBy(jobs, (job) => job.generation);
    for (const [generation, group] of generations)
      await this.#jobs.updateMany(
        group.map(({ _id }) => _id),
        { state: 'pending', generation },
        { $set: { state: 'queued', stateAt: now }, $unset: { deferred: '' } },
      );
  }

  /**
   * Defers jobs that the broker did not take: they stay pending, with the reason. `deferred.count` counts each refusal at least
   * once; a statement that lost its connection is repeated, and may count twice.
   */
  async defer(jobs: readonly JobRecord[], reason: string, dueAt: Date): Promise<void> {
    await this.#jobs.updateMany(
      jobs.map(({ _id }) => _id),
      { state: 'pending' },
      { $set: { dueAt, 'deferred.reason': reason }, $inc: { 'deferred.count': 1 } },
    );
  }

  /**
   * Changes records that the transition allows.
   * @returns how many records changed; the state or the generation of the others does not allow the transition.
   * @throws StoreUnavailable, StatementRefused; repeating the whole batch is safe.
   */
  async change(transition: Transition, changes: readonly Change[], now: Date): Promise<number> {
    let count = 0;
    for (const { ids, filter, update } of changeStatements(transition, changes, now))
      count += (await this.#jobs.updateMany(ids, filter, update)).matchedCount;
    return count;
  }

  async countStale(before: Date): Promise<number> {
    return await this.#jobs.count(stale(before));
  }

  /**
   * Makes stale jobs pending.
   * @param traceparent trace of the reconciler; the next publish of each job links to it.
   * @returns how many jobs are pending again.
   */
  async reconcile(before: Date, now: Date, traceparent?: string): Promise<number> {
    let total = 0;
    for (;;) {
      const found = await this.#jobs.find({
        filter: stale(before),
        limit: RECONCILE_LIMIT,
        fields: ['_id'],
      });
      const ids = found.map(({ _id }) => _id);
      const { modifiedCount } = await this.#jobs.updateMany(ids, stale(before), {
        $set: { state: 'pending', stateAt: now, dueAt: now },
        ...linkToTrace(traceparent),
      });
      total += modifiedCount;
      // If no job changed, workers have changed all of them in the meantime; the next round reads again.
      if (ids.length < RECONCILE_LIMIT || modifiedCount === 0) return total;
    }
  }

  /** @returns the records among these ids, by id. */
  async findAll(ids: readonly string[]): Promise<Map<string, JobRecord>> {
    const found = await this.#jobs.findByIds(ids);
    return new Map(found.map((record) => [record._id, record]));
  }

  /** @returns the fields that messages are compared with, by id. */
  async findComparedFields(ids: readonly string[]): Promise<Map<string, ComparedFields>> {
    const found = await this.#jobs.findByIds(ids, ['kind', 'generation', 'payload']);
    return new Map(found.map((record) => [record._id, record]));
  }

  async find(id: string): Promise<JobRecord | null> {
    return (await this.#jobs.findOne(id)) ?? null;
  }

  /** @returns jobs in the order of their ids, beginning after `after`. */
  async list(query: JobQuery): Promise<JobRecord[]> {
    return await this.#jobs.find({
      filter: {
        ...(query.state === undefined ? {} : { state: query.state }),
        ...(query.runId === undefined ? {} : { runIds: query.runId }),
        ...(query.after === undefined ? {} : { _id: { $gt: query.after } }),
      },
      sort: { _id: 1 },
      limit: query.limit,
    });
  }

  /** @returns a count for each state that occurs, and for each cause of death. */
  async countRun(runId: string): Promise<RunCounts> {
    const rows = await this.#jobs.aggregate<{
      _id: { state: JobState; cause?: string };
      count: number;
    }>([
      { $match: { runIds: runId } },
      { $group: { _id: { state: '$state', cause: '$death.cause' }, count: { $sum: 1 } } },
    ]);
    const counts: RunCounts = { states: {}, causes: {} };
    for (const { _id, count } of rows) {
      counts.states[_id.state] = (counts.states[_id.state] ?? 0) + count;
      if (_id.cause) counts.causes[_id.cause] = (counts.causes[_id.cause] ?? 0) + count;
    }
    return counts;
  }

  /**
   * @returns a count for each state that occurs. Done jobs are never deleted, so they are not counted one by one: their number
   * is the database's estimate of all jobs minus the others, and may differ by the jobs that change in between.
   */
  async countStates(): Promise<Partial<Record<JobState, number>>> {
    const [rows, totalCount] = await Promise.all([
      this.#jobs.aggregate<{ _id: JobState; count: number }>([
        { $match: { state: { $in: JOB_STATES.filter((state) => state !== 'done') } } },
        { $group: { _id: '$state', count: { $sum: 1 } } },
      ]),
      this.#jobs.estimatedCount(),
    ]);
    const doneCount = rows.reduce((rest, { count }) => rest - count, totalCount);
    const others = Object.fromEntries(rows.map(({ _id, count }) => [_id, count]));
    return doneCount > 0 ? { ...others, done: doneCount } : others;
  }

  /**
   * @returns for each live state that occurs, since when its oldest job is eligible: since its last change, or since the end of
   * its wait, which may be in the future.
   */
  async oldestEligible(): Promise<Partial<Record<JobState, Date>>> {
    const waitMs = { $ifNull: [{ $arrayElemAt: ['$attempts.delayMs', -1] }, 0] };
    const isWaiting = { $eq: ['$state', 'waiting'] };
    const since = { $cond: [isWaiting, { $add: ['$stateAt', waitMs] }, '$stateAt'] };
    const rows = await this.#jobs.aggregate<{ _id: JobState; since: Date }>([
      { $match: { state: { $in: [...LIVE_STATES] } } },
      { $group: { _id: '$state', since: { $min: since } } },
    ]);
    return Object.fromEntries(rows.map(({ _id, since: date }) => [_id, date]));
  }
}

export interface JobQuery {
  readonly state?: JobState;
  readonly runId?: string;
  /** Id of the last job that was read before. */
  readonly after?: string;
  readonly limit: number;
}

export interface RunCounts {
  readonly states: Partial<Record<JobState, number>>;
  readonly causes: Record<string, number>;
}

/** Maximum number of stale jobs in one statement. */
const RECONCILE_LIMIT = 1_000;

function stale(before: Date) {
  return {
    state: { $in: LIVE_STATES.filter((state) => state !== 'pending') },
    stateAt: { $lt: before },
  };
}
