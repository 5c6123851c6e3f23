/**
 * The collections `operations` and `operationParts`. Every change of an operation asks in its filter for what it relies on, so two
 * monoliths, and one that was suspended, do no harm to each other.
 */
import { type DocumentCollection, type StoreDatabase, type Update } from '@fit/jobs/store';
import {
  NO_OUTCOMES,
  type OperationPart,
  type OperationRecord,
  type OperationRequest,
  type OperationState,
  type OutcomeCounts,
  type PartRecord,
  partId,
  type ReplayOutcome,
} from '../operation.ts';

/** An operation without the jobs of its part and the ids that it selects, which may be many. */
export type OperationSummary = Omit<OperationRecord, 'part' | 'filter'>;

const SUMMARY: Readonly<Record<keyof OperationSummary, true>> = {
  _id: true,
  selection: true,
  diedUntil: true,
  matched: true,
  ratePerSecond: true,
  limit: true,
  pauseAfter: true,
  edit: true,
  reason: true,
  accountId: true,
  traceparent: true,
  createdAt: true,
  state: true,
  stateAt: true,
  failure: true,
  isActive: true,
  nextPart: true,
  nextAt: true,
  replayed: true,
  skipped: true,
  settledParts: true,
  outcomes: true,
};
const SUMMARY_FIELDS = Object.keys(SUMMARY);
/** Operations and their parts are deleted by the database a year after they began. */
const EXPIRE_SECONDS = 365 * 86_400;
/** Operations that are under way at a time: all of them are read at once, each with up to 1,000 ids and the jobs of its part. */
export const ACTIVE_LIMIT = 40;

export class OperationStore {
  readonly #operations: DocumentCollection<OperationRecord>;
  readonly #parts: DocumentCollection<PartRecord>;

  constructor(database: StoreDatabase) {
    this.#operations = database.collection<OperationRecord>('operations');
    this.#parts = database.collection<PartRecord>('operationParts');
  }

  async ensureIndexes(): Promise<void> {
    await this.#operations.ensureIndex({ createdAt: -1 }, { expireAfterSeconds: EXPIRE_SECONDS });
    await this.#operations.ensureIndex({ isActive: 1, createdAt: 1 });
    await this.#parts.ensureIndex({ at: 1 }, { expireAfterSeconds: EXPIRE_SECONDS });
  }

  /**
   * Stores an operation unless one of this id exists.
   * @param skipped selected jobs that cannot be replayed; they are its first part.
   * @returns the stored operation: this one, or the one that had the id before.
   */
  async create(
    id: string,
    request: OperationRequest,
    skipped: PartRecord['skipped'],
    now: Date,
  ): Promise<OperationRecord> {
    // In the operation itself, so that a request that is repeated because its process died finds either both or nothing.
    const part = skipped.length > 0 ? { number: 0, jobs: [], skipped } : undefined;
    const document: OperationRecord = {
      ...request,
      _id: id,
      createdAt: now,
      state: 'running',
      stateAt: now,
      isActive: true,
      ...(part === undefined ? {} : { part }),
      nextPart: part === undefined ? 0 : 1,
      nextAt: now,
      replayed: 0,
      skipped: 0,
      settledParts: 0,
      outcomes: NO_OUTCOMES,
    };
    const stored = (await this.#operations.upsert(id, { $setOnInsert: document })) ?? document;
    if (stored.part?.skipped === undefined) return stored;
    // If this process dies first, a round of the operations does it.
    await this.finishPart(id, stored.part, { replayedIds: [], skipped: stored.part.skipped }, now);
    return { ...stored, skipped: stored.part.skipped.length };
  }

  async find(id: string): Promise<OperationSummary | undefined> {
    const [found] = await this.#operations.findByIds([id], SUMMARY_FIELDS);
    return found;
  }

  /** @returns operations that began before a time, the newest first. */
  async newest(before: Date, limit: number): Promise<OperationSummary[]> {
    return await this.#operations.find({
      filter: { createdAt: { $lt: before } },
      sort: { createdAt: -1 },
      limit,
      fields: SUMMARY_FIELDS,
    });
  }

  /** @returns the operations that have not ended, or of which jobs have not ended, the oldest first. */
  async active(): Promise<OperationRecord[]> {
    return await this.#operations.find({
      filter: { isActive: true },
      sort: { createdAt: 1 },
      limit: ACTIVE_LIMIT,
    });
  }

  /**
   * Changes the state where it is one of these.
   * @returns the changed operation; undefined where there is none of this id in one of these states.
   */
  async changeState(
    id: string,
    from: readonly OperationState[],
    to: OperationState,
    failure?: string,
  ): Promise<OperationSummary | undefined> {
    // Who resumes it wants it to go on, so a pause that it was to make by itself is over.
    const unset = to === 'running' || to === 'paused' ? [{ $unset: 'pauseAfter' }] : [];
    return await this.#operations.findOneAndUpdate(id, { state: { $in: [...from] } }, [
      {
        $set: {
          state: to,
          stateAt: '$$NOW',
          ...(failure === undefined ? {} : { failure: { $literal: failure } }),
        },
      },
      ...unset,
    ]);
  }

  /**
   * Takes the next part, if the operation still runs and nobody else has taken it.
   * @param intervalMs time from the begin of this part to that of the next one; a part that is late is made up for once.
   * @returns the operation with the part; undefined where it was not taken.
   */
  async take(
    { _id, nextPart }: Pick<OperationRecord, '_id' | 'nextPart'>,
    jobs: OperationPart['jobs'],
    intervalMs: number,
  ): Promise<OperationRecord | undefined> {
    const earliest = { $subtract: ['$$NOW', intervalMs] };
    return await this.#operations.findOneAndUpdate(
      _id,
      { state: 'running', nextPart, part: { $exists: false } },
      [
        {
          $set: {
            part: { $literal: { number: nextPart, jobs } },
            nextPart: nextPart + 1,
            nextAt: { $add: [{ $max: ['$nextAt', earliest] }, intervalMs] },
          },
        },
      ],
    );
  }

  /** Stores what became of the jobs of the part that is carried out; a repetition changes nothing. */
  async finishPart(
    id: string,
    { number }: OperationPart,
    group: Pick<PartRecord, 'replayedIds' | 'skipped'>,
    now: Date,
  ): Promise<void> {
    await this.#insertPart(id, number, group, now);
    const update: Update<OperationRecord> = {
      $inc: { replayed: group.replayedIds.length, skipped: group.skipped.length },
      $unset: { part: '' },
    };
    await this.#operations.updateOne(id, update, { 'part.number': number });
  }

  async #insertPart(
    id: string,
    number: number,
    { replayedIds, skipped }: Pick<PartRecord, 'replayedIds' | 'skipped'>,
    at: Date,
  ): Promise<void> {
    await this.#parts.insertNew([{ _id: partId(id, number), number, replayedIds, skipped, at }]);
  }

  /** @returns the parts from a number on that are carried out, in their order. */
  async parts(id: string, fromNumber: number, limit: number): Promise<PartRecord[]> {
    return await this.#parts.find({
      filter: { _id: { $gte: partId(id, fromNumber), $lt: `${id};` } },
      sort: { _id: 1 },
      limit,
    });
  }

  /** Keeps how the jobs of a part ended: later replays and the retention do not change it any more. */
  async settlePart(
    { _id }: Pick<PartRecord, '_id'>,
    ends: readonly ReplayOutcome[],
  ): Promise<void> {
    await this.#parts.updateOne(_id, { $set: { ends } }, { ends: { $exists: false } });
  }

  /** Counts the ends of settled parts once: the filter asks for the number of the first of them. */
  async countSettled(
    { _id, settledParts }: Pick<OperationRecord, '_id' | 'settledParts'>,
    partCount: number,
    counts: OutcomeCounts,
  ): Promise<void> {
    const added = Object.entries(counts).map(([outcome, count]) => [`outcomes.${outcome}`, count]);
    await this.#operations.updateOne(
      _id,
      { $inc: { settledParts: partCount, ...(Object.fromEntries(added) as object) } },
      { settledParts },
    );
  }

  /** Nothing follows: the operation has ended, and so have its jobs. */
  async retire({ _id, nextPart }: Pick<OperationRecord, '_id' | 'nextPart'>): Promise<void> {
    await this.#operations.updateOne(
      _id,
      { $set: { isActive: false } },
      {
        state: { $in: ['completed', 'aborted', 'failed'] },
        settledParts: nextPart,
        part: { $exists: false },
      },
    );
  }
}
