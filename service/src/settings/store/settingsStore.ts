/** What was changed at run time, in the database that all processes share: settings, and queues that are paused. */
import type { SettingName } from '@fit/contract';
import type { DocumentCollection, Pause, StoreDatabase } from '@fit/jobs/store';

/** A setting that somebody changed. */
export interface ChangedSetting {
  readonly value: unknown;
  /** By the database's clock. */
  readonly at: Date;
  /** Id of the account. */
  readonly by: string;
  readonly reason: string;
}

export interface StoredSettings {
  /** Rises with each change of `values`; 0 before the first. */
  readonly revision: number;
  readonly values: Readonly<Partial<Record<SettingName, ChangedSetting>>>;
  /** By the name of the queue on the broker. */
  readonly pausedQueues: ReadonlyMap<string, Pause>;
}

interface SettingsDocument {
  readonly _id: string;
  readonly revision?: number;
  readonly values?: StoredSettings['values'];
  /** Of the document of a queue. */
  readonly queue?: string;
  readonly paused?: Pause;
}

/** Settings are one document, because a change is checked against the others. */
const VALUES = 'values';
const queueId = (queue: string) => `queue:${queue}`;
const DOCUMENT_LIMIT = 1_000;

export class SettingsStore {
  readonly #documents: DocumentCollection<SettingsDocument>;

  constructor(database: StoreDatabase) {
    this.#documents = database.collection<SettingsDocument>('settings');
  }

  async read(): Promise<StoredSettings> {
    const documents = await this.#documents.find({
      filter: { _id: { $gt: '' } },
      sort: { _id: 1 },
      limit: DOCUMENT_LIMIT,
    });
    const { revision = 0, values = {} } = documents.find(({ _id }) => _id === VALUES) ?? {};
    const pausedQueues = documents.flatMap(({ queue, paused }) =>
      queue === undefined || paused === undefined ? [] : [[queue, paused] as const],
    );
    return { revision, values, pausedQueues: new Map(pausedQueues) };
  }

  /**
   * Changes settings unless somebody has changed one since they were read.
   * @param revision of the settings that were read.
   * @param change undefined: the setting is no longer changed.
   * @returns whether they were changed. A statement that is repeated after a lost connection says false of what its first try did.
   */
  async change(
    revision: number,
    change: Readonly<Partial<Record<SettingName, unknown>>>,
    { by, reason }: Pick<ChangedSetting, 'by' | 'reason'>,
  ): Promise<boolean> {
    if (revision === 0) await this.#documents.insertNew([{ _id: VALUES, revision: 0, values: {} }]);
    const entries = Object.entries(change).map(([name, value]): [string, unknown] => [
      `values.${name}`,
      value,
    ]);
    const set = entries.filter(([, value]) => value !== undefined);
    const unset = entries.filter(([, value]) => value === undefined);
    const stored = (value: unknown) => ({
      value: { $literal: value },
      at: '$$NOW',
      by: { $literal: by },
      reason: { $literal: reason },
    });
    const changed = await this.#documents.findOneAndUpdate(VALUES, { revision }, [
      {
        $set: {
          revision: revision + 1,
          ...Object.fromEntries(set.map(([path, value]) => [path, stored(value)])),
        },
      },
      ...(unset.length === 0 ? [] : [{ $unset: unset.map(([path]) => path) }]),
    ]);
    return changed !== undefined;
  }

  /** Where the queue is paused already, nothing changes. @returns the pause that is in force. */
  async pause(queue: string, { by, reason }: Omit<Pause, 'since'>): Promise<Pause | undefined> {
    const paused = { since: '$$NOW', by: { $literal: by }, reason: { $literal: reason } };
    const stored = await this.#documents.upsert(queueId(queue), [
      { $set: { queue: { $literal: queue }, paused: { $ifNull: ['$paused', paused] } } },
    ]);
    return stored?.paused;
  }

  async resume(queue: string): Promise<void> {
    await this.#documents.deleteOne(queueId(queue), {});
  }
}
