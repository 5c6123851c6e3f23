/**
 * The deadline of the next daily run, as cron reported it last. It is stored here because a cron process that died reports
 * nothing any more.
 */
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';

interface DailyRunDocument {
  readonly _id: string;
  /** Null: no daily run is expected. */
  readonly dueBy: Date | null;
}

const ID = 'next';

export class DailyRunStore {
  readonly #dailyRun: DocumentCollection<DailyRunDocument>;

  constructor(database: StoreDatabase) {
    this.#dailyRun = database.collection<DailyRunDocument>('dailyRun');
  }

  /** @param deadline undefined: no daily run is expected any more. */
  async setDeadline(deadline: Date | undefined): Promise<void> {
    await this.#dailyRun.upsert(ID, { $set: { dueBy: deadline ?? null } });
  }

  /** @returns undefined if no daily run is expected. */
  async deadline(): Promise<Date | undefined> {
    return (await this.#dailyRun.findOne(ID))?.dueBy ?? undefined;
  }
}
