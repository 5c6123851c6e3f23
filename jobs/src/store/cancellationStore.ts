/** The collection `cancellations`: when jobs were cancelled last, so that workers ask about jobs only for a while after that. */
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection } from './documentCollection.ts';

interface CancellationDocument {
  readonly _id: string;
  readonly at: Date;
}

const LATEST_ID = 'latest';

export class CancellationStore {
  readonly #cancellations: DocumentCollection<CancellationDocument>;

  constructor(database: StoreDatabase) {
    this.#cancellations = database.collection<CancellationDocument>('cancellations');
  }

  /** To be called before the first job is cancelled. */
  async note(): Promise<void> {
    await this.#cancellations.upsert(LATEST_ID, [{ $set: { at: '$$NOW' } }]);
  }

  /** @returns the database's time of the latest cancellation; undefined: none. */
  async latest(): Promise<Date | undefined> {
    return (await this.#cancellations.findOne(LATEST_ID))?.at;
  }
}
