/** The jobs collection: inserts, guarded changes in bulk, counts. The only file that writes job records. */
import type { RecordClaims } from '../record/agreement.ts';
import { type JobRecord, RUNS_KEPT } from '../record/jobRecord.ts';
import { JOB_STATES, type JobState, LIVE_STATES, type Transition } from '../record/transitions.ts';
import { type Change, changeStatements } from './change.ts';
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection } from './documentCollection.ts';
import { linkTo } from './linkTo.ts';

export interface Accepted {
  readonly created: number;
  readonly skipped: number;
}

export class JobStore {
  readonly #jobs: DocumentCollection<JobRecord>;

  constructor(database: StoreDatabase) {
    this.#jobs = database.collection<JobRecord>('jobs');
  }

  /** One index serves relay and reconciler, one the runs; each further one would cost every write. */
  async ensureIndexes(): Promise<void> {
    await this.#jobs.ensureIndex({ state: 1, stateAt: 1 });
    await this.#jobs.ensureIndex({ runIds: 1 });
  }

  /**
   * Inserts what is new; a job that exists only learns of the run. Safe to repeat, and at once: whoever asks for the
   * same run is told the same counts.
   * @param jobs at most a few thousand, all of one run.
   * @returns how many of them this run made, now or in an earlier call.
   * @throws StoreUnavailable, StatementRefused
   */
  async accept(runId: string, jobs: readonly JobRecord[]): Promise<Accepted> {
    if (jobs.length === 0) return { created: 0, skipped: 0 };
    const taken = await this.#jobs.insertNew(jobs);
    if (taken.size === 0) return { created: jobs.length, skipped: 0 };
    const ids = [...taken].sort();
    await this.#jobs.updateMany(
      ids,
      { runIds: { $ne: runId } },
      { $push: { runIds: { $each: [runId], $slice: -RUNS_KEPT } } },
    );
    // The first run of a job made it: an interrupted call of this one may have made some of those that were taken.
    const ownCount = await this.#jobs.count({ _id: { $in: ids }, 'runIds.0': runId });
    const created = jobs.length - taken.size + ownCount;
    return { created, skipped: jobs.length - created };
  }

  /** Oldest first. */
  async pending(limit: number, now: Date): Promise<JobRecord[]> {
    return await this.#jobs.find({
      filter: { state: 'pending', dueAt: { $lte: now } },
      sort: { stateAt: 1 },
      limit,
    });
  }

  /** One statement for the batch; a job that its worker already finished stays finished. */
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
   * The broker would not take these; they stay pending, with the reason to be seen. `deferred.count` counts each refusal at
   * least once: a statement that lost its connection is repeated, and may count twice.
   */
  async defer(jobs: readonly JobRecord[], reason: string, dueAt: Date): Promise<void> {
    await this.#jobs.updateMany(
      jobs.map(({ _id }) => _id),
      { state: 'pending' },
      { $set: { dueAt, 'deferred.reason': reason }, $inc: { 'deferred.count': 1 } },
    );
  }

  /**
   * @returns how many changed; the rest were late or doubled.
   * @throws StoreUnavailable; repeating the whole batch is safe. StatementRefused
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

  /** @param traceparent of what reconciles; the next publish links to it. */
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
        ...linkTo(traceparent),
      });
      total += modifiedCount;
      // Where none changed, workers were quicker at all of them: the next round looks again.
      if (ids.length < RECONCILE_LIMIT || modifiedCount === 0) return total;
    }
  }

  /** @returns the records among these ids, by id. */
  async findAll(ids: readonly string[]): Promise<Map<string, JobRecord>> {
    const found = await this.#jobs.findByIds(ids);
    return new Map(found.map((record) => [record._id, record]));
  }

  /** @returns what messages are compared with, by id: a part of each record. */
  async findClaims(ids: readonly string[]): Promise<Map<string, RecordClaims>> {
    const found = await this.#jobs.findByIds(ids, ['kind', 'generation', 'payload']);
    return new Map(found.map((record) => [record._id, record]));
  }

  async find(id: string): Promise<JobRecord | null> {
    return (await this.#jobs.findOne(id)) ?? null;
  }

  /** Keyset page by id. */
  async list(page: JobQuery): Promise<JobRecord[]> {
    return await this.#jobs.find({
      filter: {
        ...(page.state === undefined ? {} : { state: page.state }),
        ...(page.runId === undefined ? {} : { runIds: page.runId }),
        ...(page.after === undefined ? {} : { _id: { $gt: page.after } }),
      },
      sort: { _id: 1 },
      limit: page.limit,
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
   * States that occur. Done jobs are kept for ever, so they are not counted one by one: they are what the collection holds
   * beside the others, by the store's own estimate, and a few of them may be under way between the two questions.
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
   * @returns for each live state that occurs, since when its oldest job could have gone on: since its last change, or
   * since the end of its wait, which may lie ahead.
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
  /** Id of the last job of the page before. */
  readonly after?: string;
  readonly limit: number;
}

export interface RunCounts {
  readonly states: Partial<Record<JobState, number>>;
  readonly causes: Record<string, number>;
}

/** Silent jobs in one statement. */
const RECONCILE_LIMIT = 1_000;

function stale(before: Date) {
  return {
    state: { $in: LIVE_STATES.filter((state) => state !== 'pending') },
    stateAt: { $lt: before },
  };
}
