/** Reads of tasks in Valkey or Redis. Without it every read asks the database. */
import { Redis } from 'ioredis';

const VERSION_KEY = 'task-events:version';
/** Bounds how long a reader may see an old answer if the cache did not answer when a task was changed. */
const TTL_SECONDS = 30;

export class Cache {
  readonly #redis: Redis;

  /** @param url a URL, or the path of a socket. */
  constructor(url: string) {
    this.#redis = new Redis(url, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      commandTimeout: 500,
    });
    // Without a listener a lost connection would end the process; each command reports its failure anyway.
    this.#redis.on('error', () => undefined);
  }

  get isUp(): boolean {
    return this.#redis.status === 'ready';
  }

  /**
   * Every change makes a new version, and the version is part of the keys. It is read before the database is asked, so an
   * answer that was read before a change is stored where nobody looks any more.
   */
  async read<Value>(
    key: string,
    load: () => Promise<Value>,
  ): Promise<{ readonly value: Value; readonly isHit: boolean }> {
    const version = await this.#try(() => this.#redis.get(VERSION_KEY));
    const fullKey = `task-events:${version ?? 0}:${key}`;
    const text =
      version === undefined ? undefined : await this.#try(() => this.#redis.get(fullKey));
    if (typeof text === 'string') return { value: JSON.parse(text) as Value, isHit: true };
    const value = await load();
    if (version !== undefined && value !== undefined)
      await this.#try(() => this.#redis.set(fullKey, JSON.stringify(value), 'EX', TTL_SECONDS));
    return { value, isHit: false };
  }

  /** After a change was stored. */
  async invalidate(): Promise<void> {
    await this.#try(() => this.#redis.incr(VERSION_KEY));
  }

  close(): void {
    this.#redis.disconnect();
  }

  /** @returns undefined if the cache does not answer. */
  async #try<Value>(command: () => Promise<Value>): Promise<Value | undefined> {
    try {
      return await command();
    } catch {
      return undefined;
    }
  }
}
