/**
 * The settings in force in a process: those of its environment, and over them what was changed at run time. Every process reads
 * the changes every two seconds, by one statement on a few documents.
 */
import {
  isSettingValue,
  type RuntimeSettings,
  SETTING_NAMES,
  type SettingName,
} from '@fit/contract';
import type { Pause, StoreDatabase } from '@fit/jobs/store';
import { type ChangedSetting, SettingsStore } from './store/settingsStore.ts';

const READ_INTERVAL_MS = 2_000;

/** @typeParam Own names of the settings that the process applies, whose values its environment states. */
export class Settings<Own extends SettingName = SettingName> {
  readonly store: Pick<SettingsStore, 'read' | 'change' | 'pause' | 'resume'>;
  /** What the environment of this process says. */
  readonly environment: Pick<RuntimeSettings, Own>;
  readonly #intervalMs: number;
  readonly #listeners: (() => void)[] = [];
  #revision = 0;
  #changes: ReadonlyMap<SettingName, ChangedSetting> = new Map();
  #pausedQueues: ReadonlyMap<string, Pause> = new Map();
  #readAt: Date | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;

  constructor(
    store: Pick<SettingsStore, 'read' | 'change' | 'pause' | 'resume'>,
    environment: Pick<RuntimeSettings, Own>,
    intervalMs = READ_INTERVAL_MS,
  ) {
    this.store = store;
    this.environment = environment;
    this.#intervalMs = intervalMs;
  }

  /** Reads the changes, and again every two seconds. @throws StoreUnavailable, StatementRefused */
  static async open<Own extends SettingName>(
    database: StoreDatabase,
    environment: Pick<RuntimeSettings, Own>,
  ): Promise<Settings<Own>> {
    const settings = new Settings<Own>(new SettingsStore(database), environment);
    await settings.start();
    return settings;
  }

  async start(): Promise<void> {
    await this.read();
    // While the database does not answer, what was read last stays in force.
    this.#timer = setInterval(() => void this.read().catch(() => undefined), this.#intervalMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** When the changes were read last, by this machine's clock; undefined before the first time. */
  get readAt(): Date | undefined {
    return this.#readAt;
  }

  /** Of the changed settings that were read last; 0 before the first change. */
  get revision(): number {
    return this.#revision;
  }

  /** @returns who changed the setting to what; undefined where nobody did. */
  changeOf(name: SettingName): ChangedSetting | undefined {
    return this.#changes.get(name);
  }

  valueOf<Name extends Own>(name: Name): RuntimeSettings[Name] {
    const changed = this.#changes.get(name);
    return changed === undefined
      ? this.environment[name]
      : (changed.value as RuntimeSettings[Name]);
  }

  /** @param queue its name on the broker. @returns undefined where the queue is not paused. */
  pauseOf(queue: string): Pause | undefined {
    return this.#pausedQueues.get(queue);
  }

  /** Calls the listener now, and after each reading. */
  watch(listener: () => void): void {
    this.#listeners.push(listener);
    listener();
  }

  /** Reads the changes now, also those that were stored just before the call. @throws StoreUnavailable, StatementRefused */
  async read(): Promise<void> {
    await this.#reading?.catch(() => undefined);
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #read(): Promise<void> {
    const { revision, values, pausedQueues } = await this.store.read();
    this.#revision = revision;
    // A value that another release stored may be out of the bounds of this one; then the environment counts.
    this.#changes = new Map(
      SETTING_NAMES.flatMap((name) => {
        const changed = values[name];
        return changed !== undefined && isSettingValue(name, changed.value)
          ? [[name, changed] as const]
          : [];
      }),
    );
    this.#pausedQueues = pausedQueues;
    this.#readAt = new Date();
    for (const listener of this.#listeners) listener();
  }
}
