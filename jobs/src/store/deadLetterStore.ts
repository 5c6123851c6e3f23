/** Stores the dead letters that belong to no job record, so that the content of every dead letter is in the database. */
import type { DeathCause } from '@fit/topology';
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection } from './documentCollection.ts';

/** `forged`: the dead letter names a job and does not agree with that job's record. */
export type DeadLetterCause = DeathCause | 'forged';

export interface DeadLetter {
  /** Hash of body, message id, cause and reason: a dead letter that is recorded twice is stored once. */
  readonly id: string;
  readonly cause: DeadLetterCause;
  readonly reason: string;
  readonly messageId: string | undefined;
  readonly routingKey: string;
  /** The whole body; where `bodyHash` is present, only its first bytes. */
  readonly body: Buffer;
  /** Size of the whole body. */
  readonly bodyBytes: number;
  /** SHA-256 of the whole body in hexadecimal digits; absent where `body` is the whole body. */
  readonly bodyHash?: string;
  readonly headers: string;
}

interface StoredDeadLetter extends Omit<DeadLetter, 'id'> {
  readonly _id: string;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
  /** How often the dead letter arrived; an arrival may count twice where a statement was repeated. */
  readonly seen: number;
}

export class DeadLetterStore {
  readonly #deadLetters: DocumentCollection<StoredDeadLetter>;

  constructor(database: StoreDatabase) {
    this.#deadLetters = database.collection<StoredDeadLetter>('deadLetters');
  }

  /** @param expireSeconds the database deletes a dead letter this long after its last arrival; default: 30 days. */
  async ensureIndexes(expireSeconds = 30 * 86_400): Promise<void> {
    await this.#deadLetters.ensureIndex({ lastSeenAt: 1 }, { expireAfterSeconds: expireSeconds });
  }

  /**
   * Stores dead letters; one that is stored already only gets a higher `seen` and a new `lastSeenAt`. Each arrival counts at
   * least once: a statement that lost its connection is repeated, and may count twice.
   * @returns the ids of the dead letters that were not stored before.
   */
  async store(deadLetters: readonly DeadLetter[], now: Date): Promise<Set<string>> {
    const copies = Map.groupBy(deadLetters, ({ id }) => id);
    const documents = [...copies.values()].map((group) => {
      const [{ id: _id, ...rest }] = group as [DeadLetter];
      return { _id, ...rest, firstSeenAt: now, lastSeenAt: now, seen: group.length };
    });
    const storedBefore = await this.#deadLetters.insertNew(documents);
    const repeated = documents.filter(({ _id }) => storedBefore.has(_id));
    for (const [seen, group] of Map.groupBy(repeated, (document) => document.seen))
      await this.#deadLetters.updateMany(
        group.map(({ _id }) => _id),
        {},
        { $set: { lastSeenAt: now }, $inc: { seen } },
      );
    return new Set([...copies.keys()].filter((id) => !storedBefore.has(id)));
  }
}
