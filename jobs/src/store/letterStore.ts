/** Letters that no job record explains, kept whole: nothing that reached the dead-letter queue is thrown away. */

import type { DeathCause } from '@fit/topology';
import { Binary, type Collection, type Db } from 'mongodb';

export interface Letter {
  /** Hash of body and identity, so that a letter taken twice is stored once. */
  readonly id: string;
  readonly cause: DeathCause;
  readonly reason: string;
  readonly messageId: string | undefined;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly headers: string;
}

interface StoredLetter extends Omit<Letter, 'id' | 'body'> {
  readonly _id: string;
  readonly body: Binary;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
  readonly seen: number;
}

export class LetterStore {
  readonly #letters: Collection<StoredLetter>;

  constructor(database: Db) {
    this.#letters = database.collection<StoredLetter>('letters');
  }

  /** @returns the ids of those that were not kept before. */
  async keep(letters: readonly Letter[], now: Date): Promise<Set<string>> {
    if (letters.length === 0) return new Set();
    const { upsertedIds } = await this.#letters.bulkWrite(
      letters.map(({ id, body, ...rest }) => ({
        updateOne: {
          filter: { _id: id },
          update: {
            $setOnInsert: { ...rest, body: new Binary(body), firstSeenAt: now },
            $set: { lastSeenAt: now },
            $inc: { seen: 1 },
          },
          upsert: true,
        },
      })),
      { ordered: false },
    );
    return new Set<string>(Object.values(upsertedIds));
  }

  async count(): Promise<number> {
    return await this.#letters.countDocuments();
  }
}
