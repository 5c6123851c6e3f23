/** What was answered to requests with an Idempotency-Key. A record ends by itself after a day. */
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';

/** A stored reply. */
export interface StoredReply {
  readonly status: number;
  /** As JSON, because the database would change field names such as `$ref`, and dates. */
  readonly body: string;
}

export interface IdempotencyRecord {
  /** The hash of caller, route and key. */
  readonly _id: string;
  readonly requestHash: string;
  /** Names the request that made the record. */
  readonly owner: string;
  readonly createdAt: Date;
  /** Absent while the request is under way. */
  readonly reply?: StoredReply;
}

/** How long a key is remembered. */
export const KEY_LIFETIME_SECONDS = 86_400;
/** A record without a reply is of a process that died after this time: a request takes half a minute at most. */
const UNDER_WAY_MAX_MS = 60_000;

export class IdempotencyStore {
  readonly #records: DocumentCollection<IdempotencyRecord>;

  constructor(database: StoreDatabase) {
    this.#records = database.collection<IdempotencyRecord>('idempotencyKeys');
  }

  async ensureIndexes(): Promise<void> {
    await this.#records.ensureIndex({ createdAt: 1 }, { expireAfterSeconds: KEY_LIFETIME_SECONDS });
  }

  /**
   * Makes the record of a request unless there is one. A record whose process died is taken over.
   * @returns the record as it is stored; it has `owner` if it is of this request.
   * @throws StoreUnavailable
   */
  async begin(record: Omit<IdempotencyRecord, 'reply'>): Promise<IdempotencyRecord> {
    const existing = await this.#records.insertNew([record]);
    if (existing.size === 0) return record;
    const found = await this.#records.findOne(record._id);
    // It ended between the two statements, so the key is free again.
    if (found === undefined) return await this.begin(record);
    const isAbandoned =
      found.reply === undefined &&
      record.createdAt.getTime() - found.createdAt.getTime() > UNDER_WAY_MAX_MS;
    if (!isAbandoned || found.requestHash !== record.requestHash) return found;
    const { owner, createdAt } = record;
    const taken = await this.#records.findOneAndUpdate(
      record._id,
      { owner: found.owner },
      { $set: { owner, createdAt } },
    );
    return taken ?? found;
  }

  /** Keeps the reply for later requests with the key. @throws StoreUnavailable */
  async complete(id: string, owner: string, reply: StoredReply): Promise<void> {
    await this.#records.updateOne(id, { $set: { reply } }, { owner });
  }

  /** Frees the key of a request that was not carried out. @throws StoreUnavailable */
  async abandon(id: string, owner: string): Promise<void> {
    await this.#records.deleteOne(id, { owner });
  }
}
