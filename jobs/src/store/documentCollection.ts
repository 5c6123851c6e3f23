/**
 * `DocumentCollection` is the only access to a collection. Each of its statements has a time limit on the server and is
 * repeated where that helps. A write of several documents sorts them by id, so that no two writers block each other.
 */
import type {
  Collection,
  CreateIndexesOptions,
  Document,
  Filter,
  IndexSpecification,
  OptionalUnlessRequiredId,
  Sort,
  UpdateFilter,
} from 'mongodb';
import { DuplicateKey, StatementRefused, type StatementRunner } from './statement.ts';
import { duplicateIndexes } from './storeFailure.ts';

/** A stored document. Its id is text, because writes are sorted by id. */
export interface Identified {
  readonly _id: string;
}

export interface UpdateCounts {
  readonly matchedCount: number;
  readonly modifiedCount: number;
}

export type { Filter } from 'mongodb';
export type Update<Stored> = UpdateFilter<Stored> | Document[];

/** Selects documents, their order and their maximum number. */
export interface DocumentQuery<Stored> {
  readonly filter: Filter<Stored>;
  readonly sort?: Sort;
  /** Maximum number of documents. They come in one answer, because further statements of a cursor have no time limit. */
  readonly limit: number;
  /** Documents that are passed over at first; they are read as well. Default 0. */
  readonly skip?: number;
  /** Names of the returned fields; default: all. */
  readonly fields?: readonly string[];
  /** Returned beside `fields`: what the database computes, as expressions by name. */
  readonly computed?: Document;
}

/**
 * Maximum number of documents in one write. Larger writes are not faster (measured: 15 µs a document at 500, 19 µs at 1,000), and a
 * statement that needs one of the same documents waits until the whole write has ended.
 */
const WRITE_COUNT_LIMIT = 500;

const TIME_REFUSED = '$$NOW operator cannot be used';

export class DocumentCollection<Stored extends Identified> {
  readonly #collection: Collection<Stored>;
  readonly #run: StatementRunner;
  readonly #connect: () => Promise<void>;

  /** @param connect opens the connection unless it is open; only a statement without limits calls it, the others use `run`. */
  constructor(collection: Collection<Stored>, run: StatementRunner, connect: () => Promise<void>) {
    this.#collection = collection;
    this.#run = run;
    this.#connect = connect;
  }

  /** Creates the index if it does not exist. The statement has no time limit, because a large collection takes long. */
  async ensureIndex(
    keys: IndexSpecification,
    options: Pick<
      CreateIndexesOptions,
      'partialFilterExpression' | 'expireAfterSeconds' | 'unique'
    > = {},
  ): Promise<void> {
    await this.#connect();
    await this.#collection.createIndex(keys, options, {});
  }

  /**
   * Inserts the documents whose id does not exist; existing documents stay as they are. Safe to repeat.
   * @returns the ids that existed. After a lost connection this call may have inserted some of them itself.
   * @throws StoreUnavailable, StatementRefused
   */
  async insertNew(documents: readonly Stored[]): Promise<Set<string>> {
    const existingIds = new Set<string>();
    const sorted = documents.toSorted(byId);
    for (let from = 0; from < sorted.length; from += WRITE_COUNT_LIMIT) {
      const chunk = sorted.slice(from, from + WRITE_COUNT_LIMIT);
      for (const index of await this.#insert(chunk)) existingIds.add(chunk[index]?._id ?? '');
    }
    return existingIds;
  }

  /**
   * Applies one update to many documents, in the order of their ids, at most `WRITE_COUNT_LIMIT` in one statement. The update
   * is applied at least once: after a lost connection it is repeated, so an `$inc` may count twice, and the returned counts are
   * those of the last try.
   * @param filter a condition on each document, in addition to its id.
   * @throws StoreUnavailable, StatementRefused
   */
  async updateMany(
    ids: readonly string[],
    filter: Filter<Stored>,
    update: Update<Stored>,
  ): Promise<UpdateCounts> {
    const sorted = [...new Set(ids)].sort();
    const counts = { matchedCount: 0, modifiedCount: 0 };
    for (let from = 0; from < sorted.length; from += WRITE_COUNT_LIMIT) {
      const $in = sorted.slice(from, from + WRITE_COUNT_LIMIT);
      const { matchedCount, modifiedCount } = await this.#run('update', (options) =>
        this.#collection.updateMany({ ...filter, _id: { $in } }, update, options),
      );
      counts.matchedCount += matchedCount;
      counts.modifiedCount += modifiedCount;
    }
    return counts;
  }

  /**
   * Updates one document, at least once, as `updateMany` does.
   * @param filter a condition on the document, in addition to its id.
   * @throws StoreUnavailable, StatementRefused
   */
  async updateOne(
    id: string,
    update: Update<Stored>,
    filter: Filter<Stored> = {},
  ): Promise<UpdateCounts> {
    return await this.#run('update', (options) =>
      this.#collection.updateOne({ ...filter, _id: id }, update, options),
    );
  }

  /**
   * Updates the document with this id where it matches the filter.
   * @returns the document after the update; undefined where no document matched. A statement that lost its connection is
   * repeated, and then finds what its first try has changed.
   * @throws StoreUnavailable, StatementRefused
   */
  async findOneAndUpdate(
    id: string,
    filter: Filter<Stored>,
    update: Update<Stored>,
  ): Promise<Stored | undefined> {
    try {
      const found = await this.#run('findAndModify', (options) =>
        this.#collection.findOneAndUpdate({ ...filter, _id: id }, update, {
          ...options,
          returnDocument: 'after',
        }),
      );
      return (found ?? undefined) as Stored | undefined;
    } catch (error) {
      // The native database refuses the time of the server while the collection does not exist, and then no document matches.
      if (error instanceof StatementRefused && error.message.includes(TIME_REFUSED))
        return undefined;
      throw error;
    }
  }

  /**
   * Updates the document with this id, or inserts it.
   * @returns the document after the update.
   * @throws StoreUnavailable, StatementRefused
   */
  async upsert(id: string, update: Update<Stored>): Promise<Stored | undefined> {
    const tryUpsert = async () => {
      const { value, lastErrorObject } = await this.#run('findAndModify', (options) =>
        this.#collection.findOneAndUpdate({ _id: id } as Filter<Stored>, update, {
          ...options,
          upsert: true,
          returnDocument: 'after',
          includeResultMetadata: true,
        }),
      );
      const answered = (value ?? undefined) as Stored | undefined;
      if (lastErrorObject?.['updatedExisting'] !== false) return answered;
      // Two upserts that meet may both answer that they inserted their document (native database), and one of the two is stored.
      return (await this.findOne(id)) ?? answered;
    };
    try {
      return await tryUpsert();
    } catch (error) {
      // Two concurrent upserts may both find no document; the second try then finds the document of the other.
      if (!(error instanceof DuplicateKey)) throw error;
      return await tryUpsert();
    }
  }

  /** @throws StoreUnavailable, StatementRefused */
  async deleteOne(id: string, filter: Filter<Stored>): Promise<void> {
    await this.#run('delete', (options) =>
      this.#collection.deleteOne({ ...filter, _id: id }, options),
    );
  }

  /**
   * Deletes documents by id, in the order of their ids, at most `WRITE_COUNT_LIMIT` in one statement. Safe to repeat.
   * @param filter a condition on each document, in addition to its id.
   * @returns how many documents the last try of each statement deleted.
   * @throws StoreUnavailable, StatementRefused
   */
  async deleteMany(ids: readonly string[], filter: Filter<Stored> = {}): Promise<number> {
    const sorted = [...new Set(ids)].sort();
    let count = 0;
    for (let from = 0; from < sorted.length; from += WRITE_COUNT_LIMIT) {
      const $in = sorted.slice(from, from + WRITE_COUNT_LIMIT);
      const { deletedCount } = await this.#run('delete', (options) =>
        this.#collection.deleteMany({ ...filter, _id: { $in } }, options),
      );
      count += deletedCount;
    }
    return count;
  }

  /** @throws StoreUnavailable, StatementRefused */
  async findOne(id: string): Promise<Stored | undefined> {
    const found = await this.#run('find', (options) =>
      this.#collection.findOne({ _id: id } as Filter<Stored>, options),
    );
    return (found ?? undefined) as Stored | undefined;
  }

  /** @throws StoreUnavailable, StatementRefused */
  async find<Found = Stored>({
    filter,
    sort,
    limit,
    skip,
    fields,
    computed,
  }: DocumentQuery<Stored>): Promise<Found[]> {
    return (await this.#run('find', (options) => {
      // A second batch of the cursor would be a statement without a time limit, so all documents come in one batch.
      const cursor = this.#collection.find(filter, { ...options, limit, batchSize: limit });
      if (sort !== undefined) cursor.sort(sort);
      if (skip !== undefined) cursor.skip(skip);
      if (fields !== undefined)
        cursor.project({ ...Object.fromEntries(fields.map((field) => [field, 1])), ...computed });
      return cursor.toArray();
    })) as unknown as Found[];
  }

  /**
   * @returns the documents that exist, in the order of their ids.
   * @throws StoreUnavailable, StatementRefused
   */
  async findByIds(ids: readonly string[], fields?: readonly string[]): Promise<Stored[]> {
    if (ids.length === 0) return [];
    const $in = [...new Set(ids)].sort();
    const filter = { _id: { $in } } as Filter<Stored>;
    const query = { filter, sort: { _id: 1 as const }, limit: $in.length };
    return await this.find(fields === undefined ? query : { ...query, fields });
  }

  /**
   * Runs a pipeline.
   * @param rowLimit most rows that it returns: they come in one answer, because further statements of a cursor have no time limit.
   * @throws StoreUnavailable, StatementRefused
   */
  async aggregate<Row extends Document>(pipeline: Document[], rowLimit = 100): Promise<Row[]> {
    return await this.#run('aggregate', (options) =>
      this.#collection.aggregate<Row>(pipeline, { ...options, batchSize: rowLimit + 1 }).toArray(),
    );
  }

  /** @throws StoreUnavailable, StatementRefused */
  async count(filter: Filter<Stored>): Promise<number> {
    return await this.#run('aggregate', (options) =>
      this.#collection.countDocuments(filter, options),
    );
  }

  /** @returns the number of documents from the statistics of the database, without counting them. @throws StoreUnavailable, StatementRefused */
  async estimatedCount(): Promise<number> {
    return await this.#run('count', (options) => this.#collection.estimatedDocumentCount(options));
  }

  /** Inserts one chunk. @returns the positions of the documents whose id existed. */
  async #insert(documents: readonly Stored[]): Promise<number[]> {
    try {
      await this.#run('insert', (options) =>
        this.#collection.insertMany(documents as OptionalUnlessRequiredId<Stored>[], {
          ...options,
          ordered: false,
        }),
      );
      return [];
    } catch (error) {
      if (!(error instanceof DuplicateKey)) throw error;
      return duplicateIndexes(error.cause);
    }
  }
}

function byId(a: Identified, b: Identified): number {
  return a._id < b._id ? -1 : a._id > b._id ? 1 : 0;
}
