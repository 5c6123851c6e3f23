/** The collection `jobs`: inserts, guarded changes in bulk, reads. Only this file and `deadJobStore.ts` write job records. */
import type { DeathCause } from '@fit/topology';
import type { BatchRecord } from '../record/batch.ts';
import { type JobRecord, STORED_REPLAYS_LIMIT } from '../record/jobRecord.ts';
import type { ComparedFields } from '../record/messageAgreement.ts';
import type { EndCounts } from '../record/run.ts';
import { compareTexts } from '../record/texts.ts';
import {
  allowedBefore,
  type JobState,
  LIVE_STATES,
  TRANSITIONS,
  type Transition,
} from '../record/transitions.ts';
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection, Filter } from './documentCollection.ts';
import { type Change, changeStatements, linkToTrace } from './jobChanges.ts';

/** States that are rare in a healthy system. Only records in these states are in the index. */
export const INDEXED_STATES: readonly JobState[] = ['running', 'waiting', 'dead'];

/** Every query of the indexed states needs a bound on `stateAt`: without one the database does not use a partial index. */
const ALWAYS = new Date(0);

/** Jobs that a list reads at most where no index finds them; they take some 50 ms. */
export const SCANNED_JOBS = 10_000;
/** Jobs in the index of states up to which a list uses it: each list passes all of them. */
const INDEXED_LIMIT = 20_000;
/** Multiple of the page that a list reads at first. */
const FIRST_STEP_FACTOR = 10;
/** Jobs of a state that a search sorts at most. */
const SORTED_LIMIT = 5_000;
/** After this time the number of jobs in the index is counted again, in milliseconds. */
const INDEXED_COUNT_MS = 5_000;

/** Ended jobs that a stored effect makes done. */
const REVIVED = { $in: ['dead', 'cancelled'] satisfies JobState[] };

const CANCEL = {
  $set: { state: TRANSITIONS.cancel.to, stateAt: '$$NOW', cancelledAt: '$$NOW' },
};

/** Jobs that finished together. */
export interface FinishedJobs {
  readonly ids: readonly string[];
  /** Attempts that each of them needed. */
  readonly attemptCount: number;
  readonly workerId: string;
}

/** How many records a finish changed. */
export interface FinishCounts {
  /** Jobs that were live. */
  readonly finished: number;
  /** Jobs that had been marked dead or cancelled, although their effect was stored. */
  readonly revived: number;
}

export class JobStore {
  readonly #jobs: DocumentCollection<JobRecord>;
  #indexed: { readonly atMs: number; readonly count: Promise<number> } | undefined;

  constructor(database: StoreDatabase) {
    this.#jobs = database.collection<JobRecord>('jobs');
  }

  /**
   * Two partial indexes: a job enters the first one only when it runs long, waits for a retry, or dies, and the second one only
   * where a member submitted it. An index that every job enters costs more than the job's own writes (measured: 181 µs against
   * 25 µs of the database for insert and finish).
   */
  async ensureIndexes(): Promise<void> {
    await this.#jobs.ensureIndex(
      { state: 1, stateAt: 1 },
      { partialFilterExpression: { state: { $in: [...INDEXED_STATES] } } },
    );
    await this.#jobs.ensureIndex(
      { owner: 1 },
      { partialFilterExpression: { owner: { $exists: true } } },
    );
  }

  /**
   * Inserts the jobs that do not exist. Safe to repeat.
   * @returns the ids of the jobs that existed.
   * @throws StoreUnavailable, StatementRefused
   */
  async insert(jobs: readonly JobRecord[]): Promise<Set<string>> {
    return await this.#jobs.insertNew(jobs);
  }

  /**
   * Finishes jobs that succeeded at their first attempt, in one statement; only where some were not live, a second one
   * looks for dead and cancelled ones.
   * @throws StoreUnavailable, StatementRefused; repeating is safe.
   */
  async finish({ ids, attemptCount, workerId }: FinishedJobs): Promise<FinishCounts> {
    const update = [
      {
        $set: {
          state: TRANSITIONS.finish.to,
          stateAt: '$$NOW',
          doneAt: '$$NOW',
          attemptCount,
          workerId: { $literal: workerId },
        },
      },
    ];
    const live = await this.#jobs.updateMany(ids, { state: { $in: [...LIVE_STATES] } }, update);
    if (live.matchedCount >= ids.length) return { finished: ids.length, revived: 0 };
    const ended = await this.#jobs.updateMany(ids, { state: REVIVED }, [
      ...update,
      { $unset: 'death' },
    ]);
    return { finished: live.matchedCount, revived: ended.matchedCount };
  }

  /**
   * Changes records that the transition allows, each with its own attempt or death. `finish` and `finishEach` finish jobs.
   * @returns how many records changed; the state or the generation of the others does not allow the transition.
   * @throws StoreUnavailable, StatementRefused; repeating the whole batch is safe.
   */
  async change(
    transition: Exclude<Transition, 'finish'>,
    changes: readonly Change[],
  ): Promise<number> {
    let count = 0;
    for (const { ids, filter, update } of changeStatements(transition, changes))
      count += (await this.#jobs.updateMany(ids, filter, update)).matchedCount;
    return count;
  }

  /**
   * Finishes jobs each with its own attempt, as `change` does; a change without an attempt finishes a job whose effect was
   * found.
   * @throws StoreUnavailable, StatementRefused; repeating is safe.
   */
  async finishEach(changes: readonly Change[]): Promise<FinishCounts> {
    const counts = { finished: 0, revived: 0 };
    const live = { $in: [...LIVE_STATES] };
    for (const { ids, filter, update } of changeStatements('finish', changes, live))
      counts.finished += (await this.#jobs.updateMany(ids, filter, update)).matchedCount;
    if (counts.finished >= changes.length) return counts;
    for (const { ids, filter, update } of changeStatements('finish', changes, REVIVED))
      counts.revived += (await this.#jobs.updateMany(ids, filter, update)).matchedCount;
    return counts;
  }

  /** Renews the time of attempts that still run, so that they do not count as lost. */
  async renewRunning(ids: readonly string[]): Promise<void> {
    await this.#jobs.updateMany(ids, { state: allowedBefore('run') }, [
      { $set: { state: TRANSITIONS.run.to, stateAt: '$$NOW' } },
    ]);
  }

  /**
   * @param batches of a few thousand jobs at most.
   * @returns pending jobs that no later batch publishes, with the batch of each; at most `limit`, by default all.
   */
  async pendingOf(
    batches: readonly Pick<BatchRecord, '_id' | 'ids'>[],
    limit = Infinity,
  ): Promise<Pick<JobRecord, '_id' | 'batch'>[]> {
    const ids = [...new Set(batches.flatMap((batch) => batch.ids))];
    if (ids.length === 0) return [];
    return await this.#jobs.find({
      filter: {
        _id: { $in: ids },
        state: 'pending',
        batch: { $in: batches.map(({ _id }) => _id) },
      },
      fields: ['batch'],
      limit: Math.min(limit, ids.length),
    });
  }

  /**
   * @returns running jobs that did not change since `before`, and waiting ones whose wait ended before that time; only their
   * ids and states.
   */
  async silent(kind: string, before: Date, limit: number): Promise<JobRecord[]> {
    const waitMs = { $ifNull: [{ $arrayElemAt: ['$attempts.delayMs', -1] }, 0] };
    const isWaiting = { $eq: ['$state', 'waiting'] };
    return await this.#jobs.find({
      filter: {
        state: { $in: ['running', 'waiting'] },
        stateAt: { $gt: ALWAYS, $lt: before },
        kind,
        $expr: { $lt: [{ $add: ['$stateAt', { $cond: [isWaiting, waitMs, 0] }] }, before] },
      },
      fields: ['state'],
      limit,
    });
  }

  /** @returns whether a job of the run is running or waiting. */
  async hasUnsettled(runId: string): Promise<boolean> {
    const found = await this.#jobs.find({
      filter: { state: { $in: ['running', 'waiting'] }, stateAt: { $gt: ALWAYS }, runId },
      fields: ['_id'],
      limit: 1,
    });
    return found.length > 0;
  }

  /**
   * Makes live jobs pending in another batch, which publishes them again.
   * @param before only jobs that did not change since this time, because an attempt may have begun since they were read.
   * @param traceparent trace of the operation; the next publish of each job links to it.
   * @returns how many jobs changed.
   */
  async moveToBatch(
    ids: readonly string[],
    batch: string,
    before: Date,
    traceparent?: string,
  ): Promise<number> {
    const { matchedCount } = await this.#jobs.updateMany(
      ids,
      { state: allowedBefore('reconcile'), stateAt: { $lt: before } },
      {
        $set: { state: TRANSITIONS.reconcile.to, batch },
        $currentDate: { stateAt: true },
        ...linkToTrace(traceparent),
      },
    );
    return matchedCount;
  }

  /** Names the batch that publishes pending jobs from now on. */
  async assignBatch(ids: readonly string[], batch: string): Promise<void> {
    await this.#jobs.updateMany(ids, { state: 'pending' }, { $set: { batch } });
  }

  /** @returns the records among these ids, by id. */
  async findAll(ids: readonly string[]): Promise<Map<string, JobRecord>> {
    const found = await this.#jobs.findByIds(ids);
    return new Map(found.map((record) => [record._id, record]));
  }

  /** @returns the fields that messages are compared with, by id. */
  async findComparedFields(ids: readonly string[]): Promise<Map<string, ComparedFields>> {
    const found = await this.#jobs.findByIds(ids, ['kind', 'generation', 'payload', 'runId']);
    return new Map(found.map((record) => [record._id, record]));
  }

  /** @returns those of these ids whose jobs are cancelled. */
  async findCancelled(ids: readonly string[]): Promise<Set<string>> {
    const found = await this.#jobs.findByIds(ids, ['state']);
    return new Set(found.filter(({ state }) => state === 'cancelled').map(({ _id }) => _id));
  }

  /** @returns state, generation and replays of the jobs among these ids, by id. */
  async findReplays(
    ids: readonly string[],
  ): Promise<Map<string, Pick<JobRecord, 'state' | 'generation' | 'replays'>>> {
    const found = await this.#jobs.findByIds(ids, ['state', 'generation', 'replays']);
    return new Map(found.map((record) => [record._id, record]));
  }

  /** Cancels a job of which no attempt is known to have begun. @returns whether it changed. */
  async cancelPending(id: string): Promise<boolean> {
    const { matchedCount } = await this.#jobs.updateOne(id, [CANCEL], {
      state: 'pending',
      attemptCount: 0,
    });
    return matchedCount === 1;
  }

  /** Cancels those of these jobs that the run created and of which no attempt is known to have begun. @returns how many. */
  async cancelAllPending(ids: readonly string[], runId: string): Promise<number> {
    const { matchedCount } = await this.#jobs.updateMany(
      ids,
      { runId, state: 'pending', attemptCount: 0 },
      [CANCEL],
    );
    return matchedCount;
  }

  /**
   * Makes jobs of other runs that ended without their effect jobs of this run, with a new generation and no spent attempts. The
   * condition on the state lets only one of several runs take a job over.
   * @param batch the page of that run, which publishes them.
   */
  async takeOver(
    ids: readonly string[],
    { runId, batch }: Pick<BatchRecord, 'runId'> & { readonly batch: string },
  ): Promise<void> {
    const generation = { $add: ['$generation', 1] };
    const replay = { operationId: { $literal: runId }, at: '$$NOW', generation };
    await this.#jobs.updateMany(ids, { runId: { $ne: runId }, state: allowedBefore('takeOver') }, [
      {
        $set: {
          state: TRANSITIONS.takeOver.to,
          stateAt: '$$NOW',
          runId: { $literal: runId },
          batch: { $literal: batch },
          attemptCount: 0,
          generation,
          replays: {
            $slice: [
              { $concatArrays: [{ $ifNull: ['$replays', []] }, [replay]] },
              -STORED_REPLAYS_LIMIT,
            ],
          },
        },
      },
      { $unset: 'death' },
    ]);
  }

  async find(id: string): Promise<JobRecord | null> {
    return (await this.#jobs.findOne(id)) ?? null;
  }

  /**
   * Lists jobs in the order of their ids. Those that an index has are found by it, unless there are too many of them; others by
   * reading the jobs one after the other, up to a limit, because a rare condition would else mean to read all.
   */
  async list(query: JobQuery): Promise<JobPage> {
    const { where, indexedLimit = INDEXED_LIMIT } = query;
    const sources = indexedSources(query);
    if (sources === undefined) return await this.#scan(query);
    const isByState = where?.owner === undefined && query.user === undefined;
    if (isByState && (await this.#indexedCount()) > indexedLimit) return await this.#scan(query);
    return await this.#listIndexed(sources, query);
  }

  /**
   * The database sorts everything that a secondary index finds, so it sorts ids and returns those of the page. The id has another name
   * there, because the database would else read the primary key in its order, past every other job (measured).
   */
  async #listIndexed(
    sources: readonly IndexedSource[],
    { where, after = '', limit }: JobQuery,
  ): Promise<JobPage> {
    const answers = await Promise.all(
      sources.map(({ match, keys = [] }) =>
        this.#jobs.aggregate<{ counts: { count: number }[]; page: { _id: string }[] }>([
          { $match: { ...conditionsOf(where), ...match } },
          { $project: { key: '$_id' } },
          ...keys.map((condition) => ({ $match: condition })),
          {
            $facet: {
              counts: [{ $count: 'count' }],
              page: [
                { $match: { key: { $gt: after } } },
                { $sort: { key: 1 } },
                { $limit: limit + 1 },
              ],
            },
          },
        ]),
      ),
    );
    const rows = answers.flat();
    const ids = rows.flatMap(({ page }) => page.map(({ _id }) => _id)).sort(compareTexts);
    const page = ids.slice(0, limit);
    const found = await this.#jobs.findByIds(page, LISTED_FIELDS);
    return {
      // A job may have left the state between the two statements.
      jobs: where?.state === undefined ? found : found.filter(({ state }) => state === where.state),
      next: ids.length > limit ? page.at(-1) : undefined,
      count: rows.reduce((sum, { counts }) => sum + (counts[0]?.count ?? 0), 0),
    };
  }

  /** Reads the ranges of ids one after the other. Where one ends, the next may be half as long, so a request reads twice the limit at most. */
  async #scan({
    where,
    ranges = ALL_IDS,
    after = '',
    limit,
    readLimit = SCANNED_JOBS,
  }: JobQuery): Promise<JobPage> {
    const conditions = conditionsOf(where);
    const isFiltered = Object.keys(conditions).length > 0;
    const jobs: JobRecord[] = [];
    const sort = { _id: 1 as const };
    let budget = readLimit;
    let position = after;
    for (const { from, below } of ranges) {
      if (below !== undefined && compareTexts(position, below) >= 0) continue;
      const end = below === undefined ? {} : { $lt: below };
      let isEnd = false;
      for (const step of stepsOf(budget, limit)) {
        const begin = compareTexts(position, from) < 0 ? { $gte: from } : { $gt: position };
        // A filter without a bound on `_id` may make the database read and sort the whole collection (measured).
        const [bound] = isFiltered
          ? await this.#jobs.find({
              filter: { _id: { ...begin, ...end } },
              sort,
              skip: step - 1,
              fields: ['_id'],
              limit: 1,
            })
          : [];
        const wanted = limit - jobs.length;
        const found = await this.#jobs.find({
          filter: {
            ...conditions,
            _id: { ...begin, ...(bound === undefined ? end : { $lte: bound._id }) },
          },
          sort,
          fields: LISTED_FIELDS,
          limit: wanted,
        });
        jobs.push(...found);
        if (found.length === wanted) return { jobs, next: jobs.at(-1)?._id, count: undefined };
        isEnd = bound === undefined;
        if (bound === undefined) break;
        position = bound._id;
      }
      if (!isEnd) return { jobs, next: position, count: undefined };
      budget = Math.ceil(budget / 2);
    }
    return { jobs, next: undefined, count: after === '' ? jobs.length : undefined };
  }

  /** @returns how many jobs the index of states has, up to a limit. Only the first caller waits; the others get the last number. */
  async #indexedCount(): Promise<number> {
    const nowMs = performance.now();
    if (this.#indexed === undefined || nowMs - this.#indexed.atMs > INDEXED_COUNT_MS) {
      const former = this.#indexed;
      const counting = this.#jobs
        .aggregate<{ count: number }>([
          { $match: { state: { $in: [...INDEXED_STATES] }, stateAt: { $gt: ALWAYS } } },
          { $limit: INDEXED_LIMIT + 1 },
          { $count: 'count' },
        ])
        .then((rows) => rows[0]?.count ?? 0);
      this.#indexed = { atMs: nowMs, count: former?.count ?? counting };
      counting.then(
        (count) => {
          this.#indexed = { atMs: nowMs, count: Promise.resolve(count) };
        },
        () => {
          // The next list asks again.
          this.#indexed = undefined;
        },
      );
    }
    return await this.#indexed.count;
  }

  /** @returns the first of these ids whose jobs match, in the order of their ids; without their payloads. */
  async findMatching(
    ids: readonly string[],
    where: JobConditions,
    limit: number,
  ): Promise<JobRecord[]> {
    if (ids.length === 0) return [];
    return await this.#jobs.find({
      filter: { ...conditionsOf(where), _id: { $in: [...ids] } },
      sort: { _id: 1 },
      fields: LISTED_FIELDS,
      limit,
    });
  }

  /**
   * Reads jobs of a state that the index has by it, as `list` does.
   * @returns jobs whose ids are between two texts, in the order of their ids or the other way round.
   */
  async search({
    from,
    above,
    below,
    isDescending,
    limit,
    indexedLimit = SORTED_LIMIT,
    ...wanted
  }: JobSearch): Promise<JobRecord[]> {
    const { state } = wanted;
    const conditions = conditionsOf(wanted);
    if (state !== undefined && INDEXED_STATES.includes(state)) {
      const indexed = await this.#jobs.find({
        filter: { ...conditions, stateAt: { $gt: ALWAYS } },
        fields: ['_id'],
        limit: indexedLimit + 1,
      });
      if (indexed.length <= indexedLimit) {
        const isWithin = (id: string) =>
          (above === undefined ? id >= from : id > above) && id < below;
        const ids = indexed.flatMap(({ _id }) => (isWithin(_id) ? [_id] : [])).sort();
        const page = isDescending ? ids.reverse().slice(0, limit) : ids.slice(0, limit);
        const jobs = await this.#jobs.findByIds(page);
        return isDescending ? jobs.reverse() : jobs;
      }
    }
    return await this.#jobs.find({
      filter: {
        _id: above === undefined ? { $gte: from, $lt: below } : { $gt: above, $lt: below },
        ...conditions,
      },
      sort: { _id: isDescending ? -1 : 1 },
      limit,
    });
  }

  /**
   * Counts jobs by state and cause of death.
   * @param ids at most a few thousand.
   */
  async countAmong(ids: readonly string[]): Promise<StateCounts> {
    return countsOf(
      await this.#jobs.aggregate<StateRow>([
        { $match: { _id: { $in: [...ids] } } },
        BY_STATE_AND_CAUSE,
      ]),
    );
  }

  /** @returns how many jobs are running, waiting and dead; of one run, or of all. */
  async countIndexed(runId?: string): Promise<StateCounts> {
    return countsOf(
      await this.#jobs.aggregate<StateRow>([
        {
          $match: {
            state: { $in: [...INDEXED_STATES] },
            stateAt: { $gt: ALWAYS },
            ...(runId === undefined ? {} : { runId }),
          },
        },
        BY_STATE_AND_CAUSE,
      ]),
    );
  }

  /**
   * @returns for running and waiting jobs since when the oldest one is eligible: since its last change, or since the end of its
   * wait, which may be in the future.
   */
  async oldestEligible(): Promise<Partial<Record<JobState, Date>>> {
    const waitMs = { $ifNull: [{ $arrayElemAt: ['$attempts.delayMs', -1] }, 0] };
    const isWaiting = { $eq: ['$state', 'waiting'] };
    const since = { $cond: [isWaiting, { $add: ['$stateAt', waitMs] }, '$stateAt'] };
    const rows = await this.#jobs.aggregate<{ _id: JobState; since: Date }>([
      { $match: { state: { $in: ['running', 'waiting'] }, stateAt: { $gt: ALWAYS } } },
      { $group: { _id: '$state', since: { $min: since } } },
    ]);
    return Object.fromEntries(rows.map(({ _id, since: date }) => [_id, date]));
  }

  /** @returns the number of job records from the statistics of the database, without counting them. */
  async estimatedCount(): Promise<number> {
    return await this.#jobs.estimatedCount();
  }

  /** @returns ids of the runs that created these jobs. */
  async runIdsAmong(ids: readonly string[]): Promise<string[]> {
    const rows = await this.#jobs.aggregate<{ _id: string }>([
      { $match: { _id: { $in: [...ids] } } },
      { $group: { _id: '$runId' } },
    ]);
    return rows.map(({ _id }) => _id);
  }

  /** @returns those of these ids whose jobs exist and were created by the run. */
  async existing(ids: readonly string[], runId: string): Promise<Set<string>> {
    if (ids.length === 0) return new Set();
    const found = await this.#jobs.find({
      filter: { _id: { $in: [...ids] }, runId },
      fields: ['_id'],
      limit: ids.length,
    });
    return new Set(found.map(({ _id }) => _id));
  }

  /** @returns those of these ids whose jobs are urgent. */
  async findUrgent(ids: readonly string[]): Promise<Set<string>> {
    const found = await this.#jobs.findByIds(ids, ['isUrgent']);
    return new Set(found.filter(({ isUrgent }) => isUrgent === true).map(({ _id }) => _id));
  }

  /** Deletes jobs in a final state that the run created. @returns how many. */
  async deleteEnded(ids: readonly string[], runId: string): Promise<number> {
    return await this.#jobs.deleteMany(ids, {
      runId,
      state: { $in: ['done', 'dead', 'cancelled'] },
    });
  }
}

/** Conditions on a job; every given one must hold. */
export interface JobConditions {
  readonly state?: JobState | undefined;
  /** The user who submitted the job. */
  readonly owner?: string | undefined;
  readonly createdSince?: Date | undefined;
  readonly createdUntil?: Date | undefined;
  /** Attempts since the last replay, at least. */
  readonly attemptsMin?: number | undefined;
  /** Cause of death. */
  readonly cause?: DeathCause | undefined;
  /** A regular expression that the reason of a dead job matches. */
  readonly reasonPattern?: string | undefined;
  /** Values of which a field of the payload must have one, by the name of the field. */
  readonly payload?: Readonly<Record<string, readonly unknown[]>> | undefined;
}

/** Ids from one text on and below another one; without `below` all that follow. */
export interface IdRange {
  readonly from: string;
  readonly below?: string;
}

export interface JobSearch
  extends Pick<JobConditions, 'state' | 'createdSince' | 'createdUntil' | 'reasonPattern'> {
  /** Only ids from this one on. */
  readonly from: string;
  /** Only ids after this one; undefined: from `from` on. */
  readonly above: string | undefined;
  /** Only ids before this one. */
  readonly below: string;
  readonly isDescending: boolean;
  readonly limit: number;
  /** Jobs of the state that are sorted at most; default 5,000. */
  readonly indexedLimit?: number;
}

export interface JobQuery {
  readonly where?: JobConditions;
  /** Only ids in these ranges, which are in order and do not overlap; default all. */
  readonly ranges?: readonly IdRange[];
  /** Only jobs of which this user is the owner, or whose ids are in one of the ranges. */
  readonly user?: {
    readonly id: string;
    readonly ranges: readonly (IdRange & { readonly below: string })[];
  };
  /** Id of the last job that was read before. */
  readonly after?: string;
  readonly limit: number;
  /** Jobs that are read at most where no index finds them; default 10,000. */
  readonly readLimit?: number;
  /** Jobs in the index of states up to which it is used; default, and at most, 20,000. */
  readonly indexedLimit?: number;
}

/** A part of a list. It may have fewer jobs than the limit, and even none, and still not be the last one. */
export interface JobPage {
  /** Without their payloads. */
  readonly jobs: readonly JobRecord[];
  /** Id to go on after; undefined where no more jobs follow. */
  readonly next: string | undefined;
  /** Number of all jobs that match; undefined where they were not all counted. */
  readonly count: number | undefined;
}

/** Every field but the payloads; the compiler finds one that is missing. */
const LISTED: Readonly<Record<Exclude<keyof JobRecord, 'payload' | 'originalPayload'>, true>> = {
  _id: true,
  kind: true,
  state: true,
  generation: true,
  attemptCount: true,
  runId: true,
  batch: true,
  owner: true,
  priority: true,
  isUrgent: true,
  createdAt: true,
  stateAt: true,
  attempts: true,
  death: true,
  cancelledAt: true,
  replays: true,
  doneAt: true,
  workerId: true,
  traceparent: true,
  tracelinks: true,
};
const LISTED_FIELDS = Object.keys(LISTED);

const ALL_IDS: readonly IdRange[] = [{ from: '' }];

/** Jobs that one index finds, and conditions on their ids, which are named `key` there. */
interface IndexedSource {
  readonly match: Filter<JobRecord>;
  readonly keys?: readonly object[];
}

/** @returns where an index finds the jobs; undefined: no index has them. */
function indexedSources({ where, ranges, user }: JobQuery): IndexedSource[] | undefined {
  const keys = ranges === undefined ? [] : [{ $or: ranges.map(isInRange) }];
  if (where?.owner !== undefined) return [{ match: { owner: where.owner }, keys }];
  if (user !== undefined)
    return [
      ...user.ranges.map(({ from, below }) => ({
        match: { _id: { $gte: from, $lt: below } },
        keys,
      })),
      {
        match: { owner: user.id },
        keys: user.ranges.length === 0 ? keys : [...keys, { $nor: user.ranges.map(isInRange) }],
      },
    ];
  if (where?.state === undefined || !INDEXED_STATES.includes(where.state)) return undefined;
  return [{ match: { stateAt: { $gt: ALWAYS } }, keys }];
}

/** The first step is short, because most pages are full after it, and finding the end of a step costs as much as reading it. */
function stepsOf(budget: number, limit: number): number[] {
  const first = Math.min(budget, FIRST_STEP_FACTOR * limit);
  return first < budget ? [first, budget - first] : [first];
}

function isInRange({ from, below }: IdRange): object {
  return { key: { $gte: from, ...(below === undefined ? {} : { $lt: below }) } };
}

function conditionsOf(where: JobConditions = {}): Filter<JobRecord> {
  const { state, owner, createdSince, createdUntil, attemptsMin, cause, reasonPattern } = where;
  const created = {
    ...(createdSince === undefined ? {} : { $gte: createdSince }),
    ...(createdUntil === undefined ? {} : { $lt: createdUntil }),
  };
  return {
    ...(state === undefined ? {} : { state }),
    ...(owner === undefined ? {} : { owner }),
    ...(Object.keys(created).length === 0 ? {} : { createdAt: created }),
    ...(attemptsMin === undefined ? {} : { attemptCount: { $gte: attemptsMin } }),
    ...(cause === undefined ? {} : { 'death.cause': cause }),
    ...(reasonPattern === undefined ? {} : { 'death.reason': { $regex: reasonPattern } }),
    ...Object.fromEntries(
      Object.entries(where.payload ?? {}).map(([field, values]) => [
        `payload.${field}`,
        { $in: [...values] },
      ]),
    ),
  };
}

/** Numbers of jobs by state, and of dead jobs by cause of death. */
export interface StateCounts {
  readonly states: Partial<Record<JobState, number>>;
  readonly causes: Record<string, number>;
}

interface StateRow {
  readonly _id: { readonly state: JobState; readonly cause?: string };
  readonly count: number;
}

const BY_STATE_AND_CAUSE = {
  $group: { _id: { state: '$state', cause: '$death.cause' }, count: { $sum: 1 } },
};

function countsOf(rows: readonly StateRow[]): StateCounts {
  const counts: StateCounts = { states: {}, causes: {} };
  for (const { _id, count } of rows) {
    counts.states[_id.state] = (counts.states[_id.state] ?? 0) + count;
    if (_id.cause) counts.causes[_id.cause] = (counts.causes[_id.cause] ?? 0) + count;
  }
  return counts;
}

/** @returns the ends among counted states. */
export function endsAmong({ states, causes }: StateCounts): EndCounts {
  return {
    done: states.done ?? 0,
    dead: states.dead ?? 0,
    cancelled: states.cancelled ?? 0,
    causes,
  };
}
