/** The jobs collection: inserts, guarded changes in bulk, counts. The only file that writes job records. */
import { type Collection, type Db, MongoBulkWriteError } from 'mongodb';
import { type JobRecord, RUNS_KEPT } from '../record/jobRecord.ts';
import { JOB_STATES, type JobState, LIVE_STATES, type Transition } from '../record/transitions.ts';
import { type Change, changeOperation } from './change.ts';
import { linkTo } from './linkTo.ts';

const DUPLICATE_KEY = 11_000;

export interface Accepted {
  readonly created: number;
  readonly skipped: number;
}

export class JobStore {
  readonly #jobs: Collection<JobRecord>;

  constructor(database: Db) {
    this.#jobs = database.collection<JobRecord>('jobs');
  }

  /** One index serves relay and reconciler, one the runs; each further one would cost every write. */
  async ensureIndexes(): Promise<void> {
    await this.#jobs.createIndex({ state: 1, stateAt: 1 });
    await this.#jobs.createIndex({ runIds: 1 });
  }

  /**
   * Inserts what is new; a job that exists only learns of the run. Safe to repeat.
   * @param jobs at most a few thousand, all of one run.
   */
  async accept(runId: string, jobs: readonly JobRecord[]): Promise<Accepted> {
    if (jobs.length === 0) return { created: 0, skipped: 0 };
    const duplicates = await insertNew(this.#jobs, jobs);
    if (duplicates.length > 0)
      await this.#jobs.updateMany(
        { _id: { $in: duplicates }, runIds: { $ne: runId } },
        { $push: { runIds: { $each: [runId], $slice: -RUNS_KEPT } } },
      );
    return { created: jobs.length - duplicates.length, skipped: duplicates.length };
  }

  /** Oldest first. */
  async pending(limit: number, now: Date): Promise<JobRecord[]> {
    return await this.#jobs
      .find({ state: 'pending', dueAt: { $lte: now } })
      .sort({ stateAt: 1 })
      .limit(limit)
      .toArray();
  }

  /** One statement for the batch; a job that its worker already finished stays finished. */
  async markQueued(jobs: readonly JobRecord[], now: Date): Promise<void> {
    const generations = Map.groupBy(jobs, (job) => job.generation);
    for (const [generation, group] of generations)
      await this.#jobs.updateMany(
        { _id: { $in: group.map(({ _id }) => _id) }, state: 'pending', generation },
        { $set: { state: 'queued', stateAt: now }, $unset: { held: '' } },
      );
  }

  /** The broker would not take these; they stay pending, with the reason to be seen. */
  async hold(jobs: readonly JobRecord[], reason: string, dueAt: Date): Promise<void> {
    await this.#jobs.updateMany(
      { _id: { $in: jobs.map(({ _id }) => _id) }, state: 'pending' },
      { $set: { dueAt, 'held.reason': reason }, $inc: { 'held.count': 1 } },
    );
  }

  /**
   * @returns how many changed; the rest were late or doubled.
   * @throws the driver's error where the store is out; repeating the whole batch is safe.
   */
  async change(transition: Transition, changes: readonly Change[], now: Date): Promise<number> {
    if (changes.length === 0) return 0;
    // Jobs that end in the same millisecond and alike share one statement: four times faster than one each (measured).
    const alike = Map.groupBy(changes, ({ id, ...rest }) => JSON.stringify(rest));
    const operations = [...alike.values()].map((group) => changeOperation(transition, group, now));
    return (await this.#jobs.bulkWrite(operations, { ordered: false })).matchedCount;
  }

  async countStale(before: Date): Promise<number> {
    return await this.#jobs.countDocuments(stale(before));
  }

  /** @param traceparent of what reconciles; the next publish links to it. */
  async reconcile(before: Date, now: Date, traceparent?: string): Promise<number> {
    const result = await this.#jobs.updateMany(stale(before), {
      $set: { state: 'pending', stateAt: now, dueAt: now },
      ...linkTo(traceparent),
    });
    return result.modifiedCount;
  }

  /** @returns the records among these ids, by id. */
  async findAll(ids: readonly string[]): Promise<Map<string, JobRecord>> {
    const found = await this.#jobs.find({ _id: { $in: [...ids] } }).toArray();
    return new Map(found.map((record) => [record._id, record]));
  }

  async find(id: string): Promise<JobRecord | null> {
    return await this.#jobs.findOne({ _id: id });
  }

  /** Keyset page by id. */
  async list(page: JobPage): Promise<JobRecord[]> {
    return await this.#jobs
      .find({
        ...(page.state === undefined ? {} : { state: page.state }),
        ...(page.runId === undefined ? {} : { runIds: page.runId }),
        ...(page.after === undefined ? {} : { _id: { $gt: page.after } }),
      })
      .sort({ _id: 1 })
      .limit(page.limit)
      .toArray();
  }

  /** @returns a count for each state that occurs, and for each cause of death. */
  async countRun(runId: string): Promise<RunCounts> {
    const rows = await this.#jobs
      .aggregate<{ _id: { state: JobState; cause?: string }; count: number }>([
        { $match: { runIds: runId } },
        { $group: { _id: { state: '$state', cause: '$death.cause' }, count: { $sum: 1 } } },
      ])
      .toArray();
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
      this.#jobs
        .aggregate<{ _id: JobState; count: number }>([
          { $match: { state: { $in: JOB_STATES.filter((state) => state !== 'done') } } },
          { $group: { _id: '$state', count: { $sum: 1 } } },
        ])
        .toArray(),
      this.#jobs.estimatedDocumentCount(),
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
    const rows = await this.#jobs
      .aggregate<{ _id: JobState; since: Date }>([
        { $match: { state: { $in: [...LIVE_STATES] } } },
        { $group: { _id: '$state', since: { $min: since } } },
      ])
      .toArray();
    return Object.fromEntries(rows.map(({ _id, since: date }) => [_id, date]));
  }
}

export interface JobPage {
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

/** @returns the ids that were there before. */
async function insertNew(
  collection: Collection<JobRecord>,
  jobs: readonly JobRecord[],
): Promise<string[]> {
  try {
    await collection.insertMany([...jobs], { ordered: false });
    return [];
  } catch (error) {
    return duplicateIndexes(error).map((index) => jobs[index]?._id ?? '');
  }
}

/**
 * @returns the places in the batch that a unique index refused.
 * @throws the error itself where anything else went wrong.
 */
export function duplicateIndexes(error: unknown): number[] {
  if (!(error instanceof MongoBulkWriteError)) throw error;
  const failures = [error.writeErrors].flat();
  if (failures.some(({ code }) => code !== DUPLICATE_KEY)) throw error;
  return failures.map(({ index }) => index);
}

function stale(before: Date) {
  return {
    state: { $in: LIVE_STATES.filter((state) => state !== 'pending') },
    stateAt: { $lt: before },
  };
}
