/**
 * Deletions of users. Each has a tombstone, which outlives the deletion: it refuses what arrives late, such as a message that waited in a
 * paused queue. Its id is a keyed hash of the user's id, so it names nobody.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';

export interface Erasure {
  /** Keyed hash of the user's id. */
  readonly _id: string;
  /** Absent once nothing of the user is left. */
  readonly userId?: string;
  /** The database's times. */
  readonly requestedAt: Date;
  /** When the next pass over all collections is due; absent once none is. */
  readonly nextAt?: Date;
  readonly doneAt?: Date;
}

interface KeyDocument {
  readonly _id: string;
  readonly key: string;
}

/** How long a tombstone is kept: no message is expected to wait in a queue for longer. */
export const TOMBSTONE_SECONDS = 30 * 86_400;
const KEY_ID = 'erasures';
const READ_LIMIT = 10_000;

export class ErasureStore {
  readonly #erasures: DocumentCollection<Erasure>;
  readonly #key: Buffer;

  private constructor(database: StoreDatabase, key: Buffer) {
    this.#erasures = database.collection<Erasure>('erasures');
    this.#key = key;
  }

  /** Reads the key of the hashes, and makes it where there is none. @throws StoreUnavailable */
  static async open(database: StoreDatabase): Promise<ErasureStore> {
    const keys = database.collection<KeyDocument>('keys');
    const made = randomBytes(32).toString('base64url');
    const stored = await keys.upsert(KEY_ID, { $setOnInsert: { key: made } });
    return new ErasureStore(database, Buffer.from(stored?.key ?? made, 'base64url'));
  }

  async ensureIndexes(): Promise<void> {
    await this.#erasures.ensureIndex({ requestedAt: 1 }, { expireAfterSeconds: TOMBSTONE_SECONDS });
  }

  idOf(userId: string): string {
    return createHmac('sha256', this.#key).update(userId).digest('base64url');
  }

  /** Stores the tombstone; one that exists stays as it is. */
  async begin(userId: string, now: Date): Promise<void> {
    const erasure = { _id: this.idOf(userId), userId, requestedAt: now, nextAt: now };
    await this.#erasures.insertNew([erasure]);
  }

  async find(userId: string): Promise<Erasure | undefined> {
    return await this.#erasures.findOne(this.idOf(userId));
  }

  /** @returns those of these ids whose users were deleted and have a tombstone. */
  async erasedAmong(userIds: readonly string[]): Promise<ReadonlySet<string>> {
    const found = await this.#erasures.findByIds(
      userIds.map((id) => this.idOf(id)),
      ['_id'],
    );
    const ids = new Set(found.map(({ _id }) => _id));
    return new Set(userIds.filter((id) => ids.has(this.idOf(id))));
  }

  /** @returns deletions with a pass that is due, the oldest first. */
  async due(now: Date, limit: number): Promise<Erasure[]> {
    return await this.#erasures.find({
      filter: { requestedAt: { $gt: new Date(0) }, nextAt: { $lte: now } },
      sort: { requestedAt: 1 },
      limit,
    });
  }

  async postpone(id: string, nextAt: Date): Promise<void> {
    await this.#erasures.updateOne(id, { $set: { nextAt } }, { userId: { $exists: true } });
  }

  /** Nothing is left: the tombstone forgets the id of the user. */
  async complete(id: string, now: Date): Promise<void> {
    await this.#erasures.updateOne(id, {
      $set: { doneAt: now },
      $unset: { userId: '', nextAt: '' },
    });
  }

  /** @returns tombstones that were stored after a time, the oldest first; the others follow after the last of them. */
  async since(time: Date): Promise<Erasure[]> {
    return await this.#erasures.find({
      filter: { requestedAt: { $gt: time } },
      sort: { requestedAt: 1 },
      limit: READ_LIMIT,
      fields: ['requestedAt'],
    });
  }
}
