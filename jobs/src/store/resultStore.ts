/** The collection `results`: what handlers returned, one document for each job; the first one that is stored stays. */
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection } from './documentCollection.ts';

export interface ResultDocument {
  /** Id of the job. A second result of the same job is refused by the database. */
  readonly _id: string;
  /** The result as JSON. */
  readonly result: unknown;
}

export class ResultStore {
  readonly #results: DocumentCollection<ResultDocument>;

  constructor(database: StoreDatabase) {
    this.#results = database.collection<ResultDocument>('results');
  }

  /** A result that exists already counts as stored. @throws StoreUnavailable, StatementRefused */
  async storeAll(results: readonly ResultDocument[]): Promise<void> {
    await this.#results.insertNew(results);
  }

  /** @returns the ids of the jobs whose result is stored. @throws StoreUnavailable, StatementRefused */
  async findStored(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const found = await this.#results.findByIds(ids, ['_id']);
    return new Set(found.map(({ _id }) => _id));
  }

  /** @returns the results of these jobs, by their ids. @throws StoreUnavailable, StatementRefused */
  async findAll(ids: readonly string[]): Promise<Map<string, unknown>> {
    const found = await this.#results.findByIds(ids);
    return new Map(found.map(({ _id, result }) => [_id, result]));
  }

  /** @returns how many results existed. */
  async delete(ids: readonly string[]): Promise<number> {
    return await this.#results.deleteMany(ids);
  }
}
