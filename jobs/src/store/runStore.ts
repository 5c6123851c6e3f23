/** The collection `runs`: what was requested, how far each run is recorded, and how many of its jobs ended. */
import { type EndCounts, type NewRun, NO_RUN, newRun, type RunRecord } from '../record/run.ts';
import type { StoreDatabase } from './connectStore.ts';
import type { DatabaseClock } from './databaseClock.ts';
import type { DocumentCollection, Filter } from './documentCollection.ts';
import { LEASE_END, leaseEndAfter, mayBeOver, takeIfOver } from './relayLease.ts';

/** Identifies a run as one owner holds it. */
export type HeldRun = Pick<RunRecord, '_id' | 'fence'>;

/** How far the pages of a run are stored without a gap. */
export interface StoredPages {
  /** Number of the page after them. */
  readonly nextPage: number;
  /** The last item of the last one. */
  readonly cursor: string;
  /** Number of all pages; undefined while a page may follow. */
  readonly pageCount: number | undefined;
}

/** What the recording of one page adds to its run. */
export interface RecordedPage {
  /** Undefined where the page was published by a process that does not expand the run. */
  readonly stored: StoredPages | undefined;
  readonly created: number;
  readonly skipped: number;
  readonly refused: number;
}

/** Counters of a run as they follow from its batches and jobs. */
export type CountedRun = Pick<
  RunRecord,
  'recordedPages' | 'expanded' | 'created' | 'skipped' | 'refused' | 'ends' | 'skippedEnds'
>;

/** Numbers of ends to add; a revived job takes one dead job away. */
export interface EndChange {
  readonly done: number;
  readonly dead: number;
  readonly cancelled: number;
  readonly causes: Readonly<Record<string, number>>;
}

/** A run without the items that it names: they may be a thousand, and no list of runs shows them. */
export type RunSummary = Omit<RunRecord, 'items'>;

/** Every field of a summary; the compiler finds one that is missing. */
const SUMMARY: Readonly<Record<keyof RunSummary, true>> = {
  _id: true,
  request: true,
  requestHash: true,
  createdAt: true,
  traceparent: true,
  rerunOf: true,
  cancelledAt: true,
  total: true,
  cursor: true,
  nextPage: true,
  pageCount: true,
  recordedPages: true,
  expanded: true,
  created: true,
  skipped: true,
  refused: true,
  ends: true,
  skippedEnds: true,
  progressAt: true,
  isActive: true,
  finishedAt: true,
  needsRecount: true,
  owner: true,
  leaseUntil: true,
  fence: true,
};
export const RUN_SUMMARY_FIELDS = Object.keys(SUMMARY);
/** Ids of batches have a colon and slashes after the run's id; messages carry a run's id of this length at most. */
const RUN_ID = /^(?!-$)[^:/]{1,100}$/;
const ACTIVE_LIMIT = 1_000;
const NEWEST_DAYS = 30;

export class RunStore {
  readonly #runs: DocumentCollection<RunRecord>;
  readonly #clock: DatabaseClock;

  constructor(database: StoreDatabase, clock: DatabaseClock) {
    this.#runs = database.collection<RunRecord>('runs');
    this.#clock = clock;
  }

  async ensureIndexes(): Promise<void> {
    await this.#runs.ensureIndex({ createdAt: -1 });
    await this.#runs.ensureIndex({ isActive: 1, createdAt: 1 });
  }

  /**
   * Stores a run, held by `owner`, unless one of this id exists.
   * @returns the stored run: this one, or the one that had the id before.
   * @throws RangeError where the id is not as `RunRecord` says; StoreUnavailable, StatementRefused
   */
  async insertIfAbsent(run: NewRun, owner: string): Promise<RunRecord> {
    if (!RUN_ID.test(run._id))
      throw new RangeError(
        `the run id '${run._id}' is empty, too long, reserved, or has a colon or a slash`,
      );
    const now = this.#clock.now();
    const document = newRun(run, { owner, now, leaseUntil: leaseEndAfter(now) });
    // Two upserts that meet may both answer that they inserted their document (native database), and two relays would begin the run.
    const existing = await this.#runs.insertNew([document]);
    return existing.size === 0 ? document : ((await this.find(run._id)) ?? document);
  }

  async find(id: string): Promise<RunRecord | undefined> {
    return await this.#runs.findOne(id);
  }

  /**
   * Reads the runs of the last 30 days, and all only where these are too few: the database sorts every run that matches,
   * because no index gives it the order.
   * @returns the newest runs first.
   */
  async newest(limit: number): Promise<RunSummary[]> {
    const since = new Date(this.#clock.now().getTime() - NEWEST_DAYS * 86_400_000);
    const found = await this.#newestSince(since, limit);
    return found.length < limit ? await this.#newestSince(new Date(0), limit) : found;
  }

  async #newestSince(since: Date, limit: number): Promise<RunSummary[]> {
    return await this.#runs.find({
      filter: { createdAt: { $gt: since } },
      sort: { createdAt: -1 },
      limit,
      fields: RUN_SUMMARY_FIELDS,
    });
  }

  /** @returns runs of which jobs have not ended, the oldest first, at most 1,000. */
  async active(): Promise<RunSummary[]> {
    return await this.#runs.find({
      filter: { isActive: true },
      sort: { createdAt: 1 },
      limit: ACTIVE_LIMIT,
      fields: RUN_SUMMARY_FIELDS,
    });
  }

  /**
   * Takes runs that are not expanded and whose owner has died.
   * @returns the runs, held by `owner`.
   */
  async claim(owner: string): Promise<RunRecord[]> {
    const now = this.#clock.now();
    const candidates = (await this.active()).filter(
      (run) => run.pageCount === undefined && run.cancelledAt === undefined && mayBeOver(run, now),
    );
    const update = takeIfOver(owner);
    const claimed: RunRecord[] = [];
    for (const { _id, fence } of candidates) {
      const run = await this.#runs.findOneAndUpdate(_id, { fence }, update);
      if (run !== undefined && run.fence !== fence) claimed.push(run);
    }
    return claimed;
  }

  /**
   * Cancels a run that has not finished. Its relay loses the run within a few seconds; the reconciler cancels the jobs.
   * @returns false where the run is finished, was cancelled before, or does not exist.
   */
  async cancel(id: string): Promise<boolean> {
    const { matchedCount } = await this.#runs.updateOne(
      id,
      [
        {
          $set: {
            cancelledAt: '$$NOW',
            owner: '',
            leaseUntil: '$$NOW',
            fence: { $add: ['$fence', 1] },
          },
        },
      ],
      { isActive: true, cancelledAt: { $exists: false } },
    );
    return matchedCount === 1;
  }

  /** A cancelled run gets no further pages than these. */
  async endExpansion({ _id, fence }: HeldRun, pageCount: number): Promise<void> {
    await this.#runs.updateOne(_id, { $set: { pageCount } }, { fence });
  }

  /** @returns false where another process holds the run. */
  async renew({ _id, fence }: HeldRun): Promise<boolean> {
    const { matchedCount } = await this.#runs.updateOne(
      _id,
      [{ $set: { leaseUntil: LEASE_END } }],
      { fence },
    );
    return matchedCount === 1;
  }

  /** Gives a run back, so that another process can expand it at once. */
  async release({ _id, fence }: HeldRun): Promise<void> {
    await this.#runs.updateOne(_id, [{ $set: { owner: '', leaseUntil: '$$NOW' } }], { fence });
  }

  /** The total of a finished run is exact, so a slower count does not replace it. */
  async setTotal(id: string, total: number): Promise<void> {
    await this.#runs.updateOne(id, { $set: { total } }, { isActive: true });
  }

  /**
   * Adds a page whose batch this process has just marked as published; nobody else adds that page. If the process dies
   * between the two writes, the reconciler finds that the pages do not add up, and counts the run again.
   */
  async recordPage(id: string, page: RecordedPage): Promise<void> {
    const add = (field: string, count: number) => ({ $add: [`$${field}`, count] });
    const expanded = page.created + page.skipped + page.refused;
    const update = [
      {
        $set: {
          ...(page.stored === undefined ? {} : positionOf(page.stored)),
          recordedPages: add('recordedPages', 1),
          expanded: add('expanded', expanded),
          created: add('created', page.created),
          skipped: add('skipped', page.skipped),
          refused: add('refused', page.refused),
          progressAt: '$$NOW',
        },
      },
    ];
    const { matchedCount } = await this.#runs.updateOne(id, update, { isActive: true });
    // The run was counted from its batches and finished meanwhile; its page must not count twice.
    if (matchedCount === 0) await this.requestRecount(id);
  }

  /** Moves the cursor, where that is not part of recording a page. */
  async movePosition({ _id, fence }: HeldRun, stored: StoredPages): Promise<void> {
    await this.#runs.updateOne(_id, [{ $set: positionOf(stored) }], { fence });
  }

  /**
   * Adds ends of jobs. An addition whose answer was lost may count twice, so callers use limits with one try and call
   * `requestRecount` after an error. The counts of a finished run are exact, so one to which something is added late is
   * counted again instead.
   */
  async addEnds(id: string, { done, dead, cancelled, causes }: EndChange): Promise<void> {
    if (id === NO_RUN) return;
    const increments: Record<string, number> = {};
    if (done !== 0) increments['ends.done'] = done;
    if (dead !== 0) increments['ends.dead'] = dead;
    if (cancelled !== 0) increments['ends.cancelled'] = cancelled;
    for (const [cause, count] of Object.entries(causes))
      if (count !== 0) increments[`ends.causes.${cause}`] = count;
    if (Object.keys(increments).length === 0) return;
    const { matchedCount } = await this.#runs.updateOne(
      id,
      { $inc: increments },
      { isActive: true },
    );
    if (matchedCount === 0) await this.requestRecount(id);
  }

  /** A finished run is active again until it is counted. */
  async requestRecount(id: string): Promise<void> {
    if (id === NO_RUN) return;
    await this.#runs.updateOne(id, {
      $set: { needsRecount: true, isActive: true },
      $unset: { finishedAt: '' },
    });
  }

  /** The counts of a finished run are exact, so a process that was slow does not replace them. */
  async setSkippedEnds(id: string, skippedEnds: EndCounts): Promise<void> {
    await this.#runs.updateOne(id, { $set: { skippedEnds } }, { isActive: true });
  }

  /**
   * Replaces every counter by what was counted from the batches, unless a worker has added ends since the run was read.
   * @param isFinal every job has ended. Otherwise the run is counted again before it finishes, because a worker may add ends
   * that this count includes already.
   * @returns false where the counters have changed.
   */
  async setCounts(run: RunRecord, counts: CountedRun, isFinal: boolean): Promise<boolean> {
    const { matchedCount } = await this.#runs.updateOne(
      run._id,
      isFinal
        ? { $set: counts, $unset: { needsRecount: '' } }
        : { $set: { ...counts, needsRecount: true } },
      sameEnds(run),
    );
    return matchedCount === 1;
  }

  /**
   * Every job has ended: `total` becomes the number of expanded jobs, except of a cancelled run, which was for more.
   * @returns false where the counters have changed since the run was read.
   */
  async finish(run: RunRecord): Promise<boolean> {
    const { matchedCount } = await this.#runs.updateOne(
      run._id,
      [
        {
          $set: {
            isActive: false,
            finishedAt: '$$NOW',
            total:
              run.cancelledAt === undefined ? run.expanded : { $max: ['$total', run.expanded] },
          },
        },
      ],
      { ...sameEnds(run), expanded: run.expanded, needsRecount: { $ne: true } },
    );
    return matchedCount === 1;
  }

  /** Jobs of the run are pending again. */
  async reopen(id: string): Promise<void> {
    if (id === NO_RUN) return;
    await this.#runs.updateOne(id, { $set: { isActive: true }, $unset: { finishedAt: '' } });
  }

  /** @returns runs that finished before a time, created after another, the oldest first; without the items that they name. */
  async finishedBefore(time: Date, createdAfter: Date, limit: number): Promise<RunRecord[]> {
    return await this.#runs.find({
      filter: {
        isActive: false,
        createdAt: { $gt: createdAfter, $lt: time },
        finishedAt: { $lt: time },
      },
      sort: { createdAt: 1 },
      limit,
      fields: RUN_SUMMARY_FIELDS,
    });
  }

  /** @returns the runs among these ids, without the items that they name. */
  async findSmall(ids: readonly string[]): Promise<Map<string, RunRecord>> {
    const found = await this.#runs.findByIds(ids, RUN_SUMMARY_FIELDS);
    return new Map(found.map((run) => [run._id, run]));
  }

  /** Deletes a finished run. */
  async delete(id: string): Promise<void> {
    await this.#runs.deleteOne(id, { isActive: false });
  }
}

/** Condition that no ends were added since the run was read, and that it is active. */
function sameEnds({ ends }: RunRecord): Filter<RunRecord> {
  return {
    isActive: true,
    'ends.done': ends.done,
    'ends.dead': ends.dead,
    'ends.cancelled': ends.cancelled,
  };
}

/** The update of a run's position. Pages end out of order, so an older position may be written later, and must not move it back. */
function positionOf({ nextPage, cursor, pageCount }: StoredPages): Record<string, unknown> {
  return {
    cursor: { $max: ['$cursor', { $literal: cursor }] },
    nextPage: { $max: ['$nextPage', nextPage] },
    ...(pageCount === undefined ? {} : { pageCount }),
  };
}
