/** The collection `batches`: which jobs are published together, by which relay, and whether the broker has them. */
import {
  type BatchRecord,
  type BatchState,
  type BatchSummary,
  endOfPageIds,
  pageBatchId,
} from '../record/batch.ts';
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection, DocumentQuery } from './documentCollection.ts';
import { LEASE_END, mayBeOverBefore, takeIfOver } from './relayLease.ts';

/** Identifies a batch as one owner holds it. */
export type HeldBatch = Pick<BatchRecord, '_id' | 'fence'>;

/** A batch that is made and held at once by the process that makes it. */
export type NewBatch = Omit<BatchRecord, 'state' | 'leaseUntil' | 'fence'>;

/** Some kinds, or all but some. */
export type KindSelection =
  | { readonly only: readonly string[] }
  | { readonly except: readonly string[] };

/** Batches up to a limit. */
export interface BatchesWithin {
  readonly batches: readonly BatchSummary[];
  /** True: the limit was reached, so there may be more. */
  readonly hasMore: boolean;
}

export interface OpenBatchCounts {
  /** Jobs of the batches that are pages of runs. */
  readonly pageJobs: number;
  /** Jobs that are published again. */
  readonly otherJobs: number;
  /** When the oldest open batch was made; undefined without one. */
  readonly oldestAt: Date | undefined;
}

export class BatchStore {
  readonly #batches: DocumentCollection<BatchRecord>;

  constructor(database: StoreDatabase) {
    this.#batches = database.collection<BatchRecord>('batches');
  }

  /** The collection holds one document for up to 1,000 jobs, so its indexes cost little. */
  async ensureIndexes(): Promise<void> {
    await this.#batches.ensureIndex({ state: 1, kind: 1, publishedAt: 1 });
    await this.#batches.ensureIndex({ runId: 1, state: 1 });
    // A batch enters this index only while it is open. Delayed batches may be many, and only those that are due are read.
    await this.#batches.ensureIndex(
      { leaseUntil: 1 },
      { partialFilterExpression: { state: 'open' } },
    );
  }

  /**
   * Stores a batch that its maker holds.
   * @param leaseUntil end of the lease; the maker computes it from the database's time.
   * @returns the batch; undefined where one of this id exists, because another process made it.
   * @throws StoreUnavailable, StatementRefused
   */
  async insert(batch: NewBatch, leaseUntil: Date): Promise<BatchRecord | undefined> {
    const document: BatchRecord = { ...batch, state: 'open', leaseUntil, fence: 1 };
    const existing = await this.#batches.insertNew([document]);
    return existing.size === 0 ? document : undefined;
  }

  async find(id: string): Promise<BatchRecord | undefined> {
    return await this.#batches.findOne(id);
  }

  /** @returns the batches of these ids that exist, with their states only. */
  async findStates(ids: readonly string[]): Promise<Map<string, BatchRecord>> {
    const found = await this.#batches.findByIds(ids, ['state', 'publishedAt', 'deferred']);
    return new Map(found.map((batch) => [batch._id, batch]));
  }

  /**
   * Takes open batches whose lease has ended: those of a process that died, those that were deferred or delayed until now.
   * Urgent batches come first, and among equals those whose lease ended first.
   * @param kinds only batches of these kinds; a release that lost a kind leaves its batches to others.
   * @param isUrgent true: only urgent batches.
   * @param limit batches, and `jobLimit` jobs of these together; at least one batch is claimed.
   * @param now the database's time; it only spares statements, the database decides.
   * @returns the batches, held by `owner`, and whether more of them may be without an owner.
   */
  async claim(
    owner: string,
    {
      kinds,
      isUrgent = false,
      limit,
      jobLimit,
      now,
    }: {
      readonly kinds: readonly string[];
      readonly isUrgent?: boolean;
      readonly limit: number;
      readonly jobLimit: number;
      readonly now: Date;
    },
  ): Promise<{ readonly claimed: BatchRecord[]; readonly hasMore: boolean }> {
    const candidates = await this.#batches.find({
      filter: {
        state: 'open',
        leaseUntil: { $lt: mayBeOverBefore(now) },
        kind: { $in: [...kinds] },
        ...(isUrgent ? { isUrgent } : {}),
      },
      // A batch without the field comes after those that have it.
      sort: { isUrgent: -1, leaseUntil: 1 },
      fields: ['fence', 'isUrgent'],
      limit: CANDIDATES_LIMIT,
    });
    const update = takeIfOver(owner);
    const claimed: BatchRecord[] = [];
    let jobCount = 0;
    let areUrgentHeld = false;
    for (const { _id, fence, isUrgent: isUrgentOne = false } of candidates) {
      if (claimed.length >= limit || jobCount >= jobLimit) return { claimed, hasMore: true };
      if (isUrgentOne && areUrgentHeld) continue;
      const batch = await this.#batches.findOneAndUpdate(_id, { state: 'open', fence }, update);
      if (batch === undefined) continue;
      if (batch.fence === fence) {
        // The candidates of one urgency are sorted by the end of their lease, so none of the others has ended either.
        if (!isUrgentOne) break;
        areUrgentHeld = true;
        continue;
      }
      claimed.push(batch);
      jobCount += batch.ids.length;
    }
    return { claimed, hasMore: false };
  }

  /** @returns false where another process holds the batch, or where it is not open any more. */
  async renew({ _id, fence }: HeldBatch): Promise<boolean> {
    const { matchedCount } = await this.#batches.updateOne(
      _id,
      [{ $set: { leaseUntil: LEASE_END } }],
      { state: 'open', fence },
    );
    return matchedCount === 1;
  }

  /**
   * Every message is confirmed.
   * @param skippedIds jobs that an earlier run had created.
   * @param ids the jobs of the batch, where some of them belong to another page.
   * @returns false where another process holds the batch; then that process counts it.
   */
  async markPublished(
    { _id, fence }: HeldBatch,
    {
      skippedIds = [],
      ids,
    }: {
      readonly skippedIds?: readonly string[];
      readonly ids?: readonly string[] | undefined;
    } = {},
  ): Promise<boolean> {
    const { matchedCount } = await this.#batches.updateOne(
      _id,
      [
        {
          $set: {
            state: 'published',
            publishedAt: '$$NOW',
            owner: '',
            ...(skippedIds.length === 0 ? {} : { skippedIds: { $literal: [...skippedIds] } }),
            ...(ids === undefined ? {} : { ids: { $literal: [...ids] } }),
          },
        },
      ],
      { state: 'open', fence },
    );
    return matchedCount === 1;
  }

  /**
   * Gives a batch back to the relays, for some time later.
   * @param reason why its messages were not confirmed; absent where nothing was tried.
   * @returns false where another process holds the batch, or where it is not open any more.
   */
  async release({ _id, fence }: HeldBatch, laterMs: number, reason?: string): Promise<boolean> {
    const { matchedCount } = await this.#batches.updateOne(
      _id,
      [
        {
          $set: {
            owner: '',
            leaseUntil: { $add: ['$$NOW', laterMs] },
            ...(reason === undefined
              ? {}
              : {
                  deferred: {
                    reason,
                    count: { $add: [{ $ifNull: ['$deferred.count', 0] }, 1] },
                  },
                }),
          },
        },
      ],
      { state: 'open', fence },
    );
    return matchedCount === 1;
  }

  /** Takes an open batch from its relay, so that the next one reads the records of its jobs, of which some are cancelled. */
  async takeBack(id: string): Promise<void> {
    await this.#batches.updateOne(
      id,
      [{ $set: { owner: '', leaseUntil: '$$NOW', fence: { $add: ['$fence', 1] } } }],
      { state: 'open' },
    );
  }

  /** Leaves only these jobs in a batch, because others existed before. */
  async narrow({ _id, fence }: HeldBatch, ids: readonly string[]): Promise<void> {
    await this.#batches.updateOne(_id, { $set: { ids } }, { state: 'open', fence });
  }

  /** None of the jobs is pending any more, or other batches publish those that are. */
  async markEnded(ids: readonly string[]): Promise<void> {
    await this.#batches.updateMany(ids, { state: 'published' }, { $set: { state: 'ended' } });
  }

  /**
   * @param jobLimit jobs of these batches together; at least one batch is returned where there is one.
   * @returns published batches of a kind that have not ended, the one that was published first at the beginning.
   */
  async published(kind: string, jobLimit: number): Promise<BatchesWithin> {
    return await this.#findWithin(jobLimit, PUBLISHED_LIMIT, {
      filter: { state: 'published', kind },
      sort: { publishedAt: 1 },
    });
  }

  /** @returns what the open batches hold. */
  async countOpen(): Promise<OpenBatchCounts> {
    const isPage = { $gte: [{ $ifNull: ['$page', -1] }, 0] };
    const rows = await this.#batches.aggregate<{ _id: boolean; jobs: number; oldestAt: Date }>([
      { $match: { state: 'open' } },
      {
        $group: {
          _id: isPage,
          jobs: { $sum: { $size: '$ids' } },
          oldestAt: { $min: '$createdAt' },
        },
      },
    ]);
    const jobsWhere = (id: boolean) => rows.find(({ _id }) => _id === id)?.jobs ?? 0;
    const times = rows.map(({ oldestAt }) => oldestAt.getTime());
    return {
      pageJobs: jobsWhere(true),
      otherJobs: jobsWhere(false),
      oldestAt: times.length === 0 ? undefined : new Date(Math.min(...times)),
    };
  }

  /**
   * The ids of a run's pages begin with its id and a colon, so the primary key has them together.
   * @param after id after which to begin; undefined: at the first page.
   * @returns ids of the pages of a run in their order.
   */
  async pageIds(runId: string, after: string | undefined, limit: number): Promise<string[]> {
    const begin = after === undefined ? { $gte: `${runId}:` } : { $gt: after };
    const found = await this.#batches.find({
      filter: { _id: { ...begin, $lt: endOfPageIds(runId) }, runId, page: { $exists: true } },
      sort: { _id: 1 },
      fields: ['_id'],
      limit,
    });
    return found.map(({ _id }) => _id);
  }

  /** @returns the batches among these ids. */
  async findAll(
    ids: readonly string[],
    fields?: readonly (keyof BatchRecord)[],
  ): Promise<BatchRecord[]> {
    return await this.#batches.findByIds(ids, fields);
  }

  /** @returns whether the run or operation has a batch in one of these states. */
  async hasAny(runId: string, states: readonly BatchState[]): Promise<boolean> {
    const found = await this.#batches.find({
      filter: { runId, state: { $in: [...states] } },
      fields: ['_id'],
      limit: 1,
    });
    return found.length > 0;
  }

  /** The runs of the jobs do not count the undone ends any more. */
  async markCounted(id: string): Promise<void> {
    await this.#batches.updateOne(id, { $unset: { isUncounted: '' } });
  }

  /**
   * @param kinds of these kinds, or of all others; default of all.
   * @param exceptRunIds no batches of these runs.
   * @param jobLimit jobs of these batches together; at least one batch is returned where there is one.
   * @returns batches in this state that were published before a time, in any order.
   */
  async publishedBefore(
    state: BatchState,
    before: Date,
    {
      kinds = { except: [] },
      exceptRunIds = [],
      jobLimit,
    }: {
      readonly kinds?: KindSelection;
      readonly exceptRunIds?: readonly string[];
      readonly jobLimit: number;
    },
  ): Promise<BatchesWithin> {
    const isOf = 'only' in kinds ? { $in: [...kinds.only] } : { $nin: [...kinds.except] };
    const hasKinds = 'only' in kinds || kinds.except.length > 0;
    return await this.#findWithin(jobLimit, OLD_LIMIT, {
      filter: {
        state,
        ...(hasKinds ? { kind: isOf } : {}),
        publishedAt: { $lt: before },
        ...(exceptRunIds.length === 0 ? {} : { runId: { $nin: [...exceptRunIds] } }),
      },
    });
  }

  /** The jobs of the batches are deleted. */
  async markCleared(ids: readonly string[]): Promise<void> {
    await this.#batches.updateMany(ids, { state: 'ended' }, { $set: { state: 'cleared' } });
  }

  async #findWithin(
    jobLimit: number,
    batchLimit: number,
    query: Pick<DocumentQuery<BatchRecord>, 'filter' | 'sort'>,
  ): Promise<BatchesWithin> {
    const limit = Math.min(jobLimit, batchLimit);
    const found = await this.#batches.find<BatchSummary>({
      ...query,
      fields: ['runId', 'page', 'createsJobs', 'publishedAt', 'isUncounted'],
      computed: { jobCount: { $size: '$ids' } },
      limit,
    });
    let jobCount = 0;
    const beyond = found.findIndex((batch, index) => {
      jobCount += batch.jobCount;
      return jobCount > jobLimit && index > 0;
    });
    if (beyond >= 0) return { batches: found.slice(0, beyond), hasMore: true };
    return { batches: found, hasMore: found.length === limit };
  }

  /**
   * @param item empty: the first page.
   * @returns the page of a run that the item belongs to, or would belong to; undefined where the run has none yet.
   */
  async pageOf(runId: string, item: string): Promise<BatchRecord | undefined> {
    const first = pageBatchId(runId, '');
    const [page] = await this.#batches.find({
      filter: {
        // A page has the item behind which it begins in its id.
        _id: item === '' ? first : { $gte: first, $lt: pageBatchId(runId, item) },
        page: { $gte: 0 },
      },
      sort: { _id: -1 },
      limit: 1,
    });
    return page;
  }

  /** @returns the page of a run that follows a page; undefined where it is the last one, or the next one is not stored yet. */
  async pageAfter({
    _id,
    runId,
  }: Pick<BatchRecord, '_id' | 'runId'>): Promise<BatchRecord | undefined> {
    const [page] = await this.#batches.find({
      filter: { _id: { $gt: _id, $lt: endOfPageIds(runId) }, page: { $gte: 0 } },
      sort: { _id: 1 },
      limit: 1,
    });
    return page;
  }

  async delete(ids: readonly string[]): Promise<void> {
    await this.#batches.deleteMany(ids);
  }
}

/** Open batches that are looked at in one round. More than this exist only after an outage, and the next rounds reach them. */
const CANDIDATES_LIMIT = 1_000;
/** Published batches in one answer at most: far below the 16 MB that an answer may have. */
const PUBLISHED_LIMIT = 10_000;
/** Old batches in one answer at most: the database reads all of their ids to count them, and a round works on few large ones. */
const OLD_LIMIT = 1_000;
