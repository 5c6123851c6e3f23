/**
 * Everything that the database has of a user. Each collection that can hold the id of a user has a step here. Deletions are rare, so they
 * read whole collections in windows and need no index that others would have to pay for.
 */
import { JOB_KINDS, wodJobOf } from '@fit/contract';
import { type BatchRecord, isExpanded, type JobRecord, jobId, type RunRecord } from '@fit/jobs';
import type {
  DocumentCollection,
  Filter,
  Identified,
  StoreDatabase,
  WorkerRecord,
} from '@fit/jobs/store';
import { ACCOUNTS_COLLECTION, type CallerRecord, SESSIONS_COLLECTION } from '@fit/service';
import type { FailureRecord } from '../../failures/failure.ts';
import type { OperationRecord, PartRecord } from '../../operations/operation.ts';
import { boundaryBefore, namesUser } from '../boundary.ts';

interface Names {
  readonly userId: string;
  /** What the ids of the user's jobs of workouts begin with. */
  readonly jobPrefix: string;
  /** What the ids of all of the user's jobs begin with, as a regular expression: those that the user submitted name the user as well. */
  readonly jobPattern: string;
}

interface StoredReplyRecord extends Identified {
  readonly reply?: { readonly body: string };
}

interface StoredDeadLetter extends Identified {
  readonly messageId?: string | null;
  readonly headers: string;
  readonly reason: string;
  /** The driver returns binary data in an object of its own. */
  readonly body: { readonly buffer: Uint8Array };
}

interface OwnedSession extends Identified {
  readonly accountId: string;
}

/** Documents that one statement passes at most, and that it returns at most. */
const WINDOW = 10_000;
const FOUND_LIMIT = 500;
/** A batch has up to 1,000 ids, and a dead letter up to 128 KiB. */
const BATCH_WINDOW = 200;
const DEAD_LETTER_WINDOW = 20;
/** An operation may select 1,000 ids. */
const OPERATION_WINDOW = 50;
/** Stands for a deleted user in texts and in ids of jobs. */
const DELETED = '(deleted)';
const KIND = 'createWod';

export class UserTraces {
  readonly #users: DocumentCollection<Identified>;
  readonly #accounts: DocumentCollection<CallerRecord>;
  readonly #sessions: DocumentCollection<OwnedSession>;
  readonly #wods: DocumentCollection<Identified>;
  readonly #jobs: DocumentCollection<JobRecord>;
  readonly #results: DocumentCollection<Identified>;
  readonly #batches: DocumentCollection<BatchRecord>;
  readonly #runs: DocumentCollection<RunRecord>;
  readonly #workers: DocumentCollection<WorkerRecord>;
  readonly #deadLetters: DocumentCollection<StoredDeadLetter>;
  readonly #replies: DocumentCollection<StoredReplyRecord>;
  readonly #operations: DocumentCollection<OperationRecord>;
  readonly #operationParts: DocumentCollection<PartRecord>;
  readonly #failures: DocumentCollection<FailureRecord>;

  /** @param database with the limits of background tasks. */
  constructor(database: StoreDatabase) {
    this.#users = database.collection('users');
    this.#accounts = database.collection(ACCOUNTS_COLLECTION);
    this.#sessions = database.collection(SESSIONS_COLLECTION);
    this.#wods = database.collection('wods');
    this.#jobs = database.collection('jobs');
    this.#results = database.collection('results');
    this.#batches = database.collection('batches');
    this.#runs = database.collection('runs');
    this.#workers = database.collection('workers');
    this.#deadLetters = database.collection('deadLetters');
    this.#replies = database.collection('idempotencyKeys');
    this.#operations = database.collection('operations');
    this.#operationParts = database.collection('operationParts');
    this.#failures = database.collection('failures');
  }

  /**
   * Safe to repeat, and to carry out twice at the same time.
   * @returns true where nothing is left; false where a run is still being expanded or a batch published, which must not be changed
   * under its relay.
   * @throws StoreUnavailable, StatementRefused
   */
  async erase(userId: string): Promise<boolean> {
    const names = {
      userId,
      jobPrefix: jobId(KIND, `${userId}:`),
      jobPattern: `(?:${JOB_KINDS.map(({ name }) => name).join('|')}):${userId}:`,
    };
    // The user first, so that no page of a run that is read from now on has the user.
    await this.#users.deleteMany([userId]);
    await this.#eraseAccounts(userId);
    await this.#eraseJobs(names);
    await this.#eraseWods(userId);
    const areRunsErased = await this.#eraseFromRuns(userId);
    const areBatchesErased = await this.#eraseFromBatches(names);
    await this.#eraseFromWorkers(names);
    await this.#eraseDeadLetters(names);
    await this.#eraseReplies(names);
    await this.#eraseFromOperations(names);
    return areRunsErased && areBatchesErased;
  }

  async #eraseAccounts(userId: string): Promise<void> {
    const accounts = await this.#accounts.find({
      filter: { userId },
      limit: FOUND_LIMIT,
      fields: ['_id'],
    });
    for (const { _id: accountId } of accounts) {
      const sessions = await this.#sessions.find({
        filter: { accountId },
        limit: FOUND_LIMIT,
        fields: ['_id'],
      });
      await this.#sessions.deleteMany(sessions.map(({ _id }) => _id));
    }
    await this.#accounts.deleteMany(accounts.map(({ _id }) => _id));
  }

  /** A run that waits for one of these jobs is counted again by the reconciler, because its counters do not add up any more. */
  async #eraseJobs({ userId, jobPrefix }: Names): Promise<void> {
    const erase = async (found: readonly Identified[]) => {
      const ids = found.map(({ _id }) => _id);
      await this.#results.deleteMany(ids);
      await this.#jobs.deleteMany(ids);
    };
    await eachMatch(this.#jobs, { after: jobPrefix, before: endOf(jobPrefix) }, erase);
    // The jobs that the user submitted are among those of the other kinds.
    const ofKind = `${KIND}:`;
    const owned = { filter: { owner: userId }, fields: ['_id'] };
    await eachMatch(this.#jobs, { ...owned, before: ofKind }, erase);
    await eachMatch(this.#jobs, { ...owned, after: endOf(ofKind) }, erase);
    // An attempt that was under way stores its result after its job was deleted.
    for (const { name } of JOB_KINDS) {
      const prefix = jobId(name, `${userId}:`);
      const range = { after: prefix, before: endOf(prefix), fields: ['_id'] };
      await eachMatch(this.#results, range, async (found) => {
        await this.#results.deleteMany(found.map(({ _id }) => _id));
      });
    }
  }

  async #eraseWods(userId: string): Promise<void> {
    const prefix = `${userId}:`;
    await eachMatch(this.#wods, { after: prefix, before: endOf(prefix) }, async (found) => {
      await this.#wods.deleteMany(found.map(({ _id }) => _id));
    });
  }

  async #eraseFromRuns(userId: string): Promise<boolean> {
    let isErased = true;
    await eachMatch(
      this.#runs,
      { filter: { $or: [{ items: userId }, { cursor: userId }] } },
      async (found) => {
        for (const run of found) {
          await this.#runs.updateOne(run._id, { $pull: { items: userId } });
          if (run.cursor !== userId) continue;
          // The relay goes on behind the cursor.
          if (isExpanded(run))
            await this.#runs.updateOne(run._id, { $set: { cursor: '' } }, { cursor: userId });
          else isErased = false;
        }
      },
    );
    return isErased;
  }

  async #eraseFromBatches({ userId, jobPattern }: Names): Promise<boolean> {
    let isErased = true;
    const boundary = boundaryBefore(userId);
    const filter = {
      $or: [
        { ids: { $regex: `^${jobPattern}` } },
        { last: userId },
        { _id: { $regex: `:(${userId}|${RegExp.escape(boundary)})$` } },
      ],
    } as Filter<BatchRecord>;
    await eachMatch(this.#batches, { filter, window: BATCH_WINDOW }, async (found) => {
      for (const batch of found) {
        if (!(await this.#eraseFromBatch(batch, { userId, jobPattern }))) isErased = false;
      }
    });
    return isErased;
  }

  /** @returns false where the batch has to stay as it is for now. */
  async #eraseFromBatch(
    batch: BatchRecord,
    { userId, jobPattern }: Pick<Names, 'userId' | 'jobPattern'>,
  ): Promise<boolean> {
    const isOfUser = new RegExp(`^${jobPattern}`);
    const ofUser = batch.ids.filter((id) => isOfUser.test(id));
    if (ofUser.length > 0)
      await this.#batches.updateOne(batch._id, {
        $pullAll: { ids: ofUser, skippedIds: ofUser },
      });
    const ids = batch.ids.filter((id) => !isOfUser.test(id));
    const position = batch._id.slice(batch._id.indexOf(':') + 1);
    const isNamed = position === userId || position === boundaryBefore(userId);
    if (!isNamed && batch.last !== userId) return true;
    if (batch.state === 'open') return false;
    const userIds = ids.map((id) => wodJobOf({ _id: id }).userId).sort();
    if (batch.last === userId)
      await this.#batches.updateOne(batch._id, { $set: { last: userIds.at(-1) ?? '' } });
    if (!isNamed) return true;
    const run = await this.#runs.findOne(batch.runId);
    if (run?.isActive === true) return false;
    await this.#renameBatch({ ...batch, ids }, userIds[0]);
    return true;
  }

  /** The id of a page is the position behind which it begins, which was the user. The new one is another position in the same gap. */
  async #renameBatch(batch: BatchRecord, firstUserId: string | undefined): Promise<void> {
    const { _id: oldId, ids, after, skippedIds, last } = batch;
    if (firstUserId !== undefined) {
      const position = boundaryBefore(firstUserId);
      const _id = `${oldId.slice(0, oldId.indexOf(':'))}:${position}`;
      const kept = new Set(ids);
      await this.#batches.insertNew([
        {
          ...batch,
          _id,
          ...(after === undefined ? {} : { after: position }),
          ...(skippedIds === undefined
            ? {}
            : { skippedIds: skippedIds.filter((id) => kept.has(id)) }),
          ...(last === undefined ? {} : { last: last === after ? position : last }),
        },
      ]);
      await this.#jobs.updateMany(ids, { batch: oldId }, { $set: { batch: _id } });
    }
    await this.#batches.deleteMany([oldId]);
  }

  /** A worker that is alive writes the whole list again with its next heartbeat; one that is dead does not. */
  async #eraseFromWorkers({ jobPattern }: Names): Promise<void> {
    const isOfUser = new RegExp(`^${jobPattern}`);
    const filter = { jobIds: { $regex: isOfUser.source } } as Filter<WorkerRecord>;
    await eachMatch(this.#workers, { filter, fields: ['jobIds'] }, async (found) => {
      for (const { _id, jobIds } of found)
        await this.#workers.updateOne(_id, {
          $pullAll: { jobIds: jobIds.filter((id) => isOfUser.test(id)) },
        });
    });
  }

  /** The body is read here, because it is stored as binary data, which the database does not search. */
  async #eraseDeadLetters({ userId, jobPattern }: Names): Promise<void> {
    const jobOfUser = new RegExp(jobPattern);
    const mentions = (text: string) => namesUser(text, userId) || jobOfUser.test(text);
    const window = DEAD_LETTER_WINDOW;
    await eachMatch(this.#deadLetters, { window }, async (found) => {
      const ofUser = found.filter(({ messageId, headers, reason, body }) =>
        [messageId ?? '', headers, reason, Buffer.from(body.buffer).toString('latin1')].some(
          mentions,
        ),
      );
      await this.#deadLetters.deleteMany(ofUser.map(({ _id }) => _id));
    });
  }

  /** Kept replies may have the user; without its record a repeated request is carried out again. */
  async #eraseReplies({ userId, jobPattern }: Names): Promise<void> {
    const filter = {
      'reply.body': { $regex: `"${userId}"|${jobPattern}` },
    } as Filter<StoredReplyRecord>;
    await eachMatch(this.#replies, { filter, fields: ['_id'] }, async (found) => {
      await this.#replies.deleteMany(found.map(({ _id }) => _id));
    });
  }

  /** The counter of failures chooses another sample; outcomes stay in their places, without the id. */
  async #eraseFromOperations({ userId, jobPattern }: Names): Promise<void> {
    const isOfUser = { $regex: `^${jobPattern}` };
    const ofSample = { filter: { 'sample.jobId': isOfUser } as Filter<FailureRecord> };
    await eachMatch(this.#failures, { ...ofSample, fields: ['_id'] }, async (found) => {
      for (const { _id } of found)
        await this.#failures.updateOne(_id, { $unset: { sample: '' } }, ofSample.filter);
    });
    const without = (text: string) => withoutUser(text, userId);
    const filter = {
      $or: [
        { replayedIds: isOfUser },
        { 'skipped.id': isOfUser },
        { 'skipped.reason': { $regex: userId } },
      ],
    } as Filter<PartRecord>;
    await eachMatch(this.#operationParts, { filter, window: BATCH_WINDOW }, async (found) => {
      for (const { _id, replayedIds, skipped } of found)
        await this.#operationParts.updateOne(_id, {
          $set: {
            replayedIds: replayedIds.map(without),
            skipped: skipped.map(({ id, reason }) => ({
              id: without(id),
              reason: without(reason),
            })),
          },
        });
    });
    const fields = ['selection', 'filter', 'reason', 'failure'];
    await eachMatch(this.#operations, { fields, window: OPERATION_WINDOW }, async (found) => {
      for (const operation of found) {
        const changed = withoutUserIn(operation, userId);
        if (JSON.stringify(changed) !== JSON.stringify(operation))
          await this.#operations.updateOne(operation._id, { $set: changed });
      }
    });
  }
}

type OperationTexts = Pick<OperationRecord, 'selection' | 'filter' | 'reason' | 'failure'>;

/** An operation that selects jobs of the user finds none any more. */
function withoutUserIn<Texts extends OperationTexts>(operation: Texts, userId: string): Texts {
  const { filter, selection, reason, failure } = operation;
  const isOfUser = filter.keyPattern?.startsWith(`${RegExp.escape(userId)}:`) === true;
  return {
    ...operation,
    selection: withoutUser(selection, userId),
    reason: withoutUser(reason, userId),
    ...(failure === undefined ? {} : { failure: withoutUser(failure, userId) }),
    filter: {
      ...filter,
      ...(isOfUser ? { keyPattern: RegExp.escape(DELETED) } : {}),
      ...(filter.ids === undefined ? {} : { ids: filter.ids.map((id) => withoutUser(id, userId)) }),
    },
  };
}

/** @returns the text with another word in place of the id. */
function withoutUser(text: string, userId: string): string {
  return text.replaceAll(new RegExp(`(?<![\\w-])${userId}(?![\\w-])`, 'g'), DELETED);
}

interface MatchQuery<Stored> {
  readonly filter?: Filter<Stored>;
  /** Only ids behind this one; default all. */
  readonly after?: string;
  /** Only ids before this one; default all. */
  readonly before?: string;
  readonly fields?: readonly string[];
  readonly window?: number;
}

/** Passes the documents of a range of ids in windows, so that no statement reads for long. */
async function eachMatch<Stored extends Identified>(
  collection: DocumentCollection<Stored>,
  { filter = {}, after = '', before, fields, window = WINDOW }: MatchQuery<Stored>,
  handle: (found: readonly Stored[]) => Promise<void>,
): Promise<void> {
  const range = (from: string, to: string | undefined, isIncluded: boolean) => ({
    $gt: from,
    ...(to === undefined ? {} : isIncluded ? { $lte: to } : { $lt: to }),
  });
  const limit = Math.min(FOUND_LIMIT, window);
  for (let from = after; ; ) {
    const [end] = await collection.find({
      filter: { _id: range(from, before, false) } as Filter<Stored>,
      sort: { _id: 1 },
      skip: window - 1,
      limit: 1,
      fields: ['_id'],
    });
    const to = end?._id ?? before;
    const found = await collection.find({
      filter: { ...filter, _id: range(from, to, end !== undefined) },
      sort: { _id: 1 },
      limit,
      ...(fields === undefined ? {} : { fields }),
    });
    if (found.length > 0) await handle(found);
    const last = found.length === limit ? found.at(-1)?._id : end?._id;
    if (last === undefined) return;
    from = last;
  }
}

/** @returns a text above all that begin with this prefix, which ends with a colon. */
function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)};`;
}
