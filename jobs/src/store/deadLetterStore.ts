/**
 * Letters that no job record explains: nothing that reached the dead-letter queue is thrown away without a trace. Up to
 * `LETTER_BODY_LIMIT_BYTES` they are kept whole.
 */

import type { DeathCause } from '@fit/topology';
import type { StoreDatabase } from './connectStore.ts';
import type { DocumentCollection } from './documentCollection.ts';

/** `forged`: it names a job, and does not agree with that job's record. */
export type DeadLetterCause = DeathCause | 'forged';

export interface DeadLetter {
  /** Hash of body and identity, so that a letter taken twice is stored once. */
  readonly id: string;
  readonly cause: DeadLetterCause;
  readonly reason: string;
  readonly messageId: string | undefined;
  readonly routingKey: string;
  /** Whole, or its beginning where `bodyHash` is there. */
  readonly body: Buffer;
  /** Of the whole body. */
  readonly bodyBytes: number;
  /** SHA-256 of the whole body in hexadecimal digits; absent where `body` is the whole. */
  readonly bodyHash?: string;
  readonly headers: string;
}

interface StoredLetter extends Omit<DeadLetter, 'id'> {
  readonly _id: string;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
  /** How often it came; each arrival is counted at least once, and twice where a statement was repeated. */
  readonly seen: number;
}

export class DeadLetterStore {
  readonly #letters: DocumentCollection<StoredLetter>;

  constructor(database: StoreDatabase) {
    this.#letters = database.collection<StoredLetter>('deadLetters');
  }

  /**
   * Each letter is counted in `seen` at least once: a statement that lost its connection is repeated, and may count twice.
   * @returns the ids of those that were not kept before.
   */
  async keep(letters: readonly DeadLetter[], now: Date): Promise<Set<string>> {
    const copies = Map.groupBy(letters, ({ id }) => id);
    const documents = [...copies.values()].map((group) => {
      const [{ id: _id, ...rest }] = group as [DeadLetter];
      return { _id, ...rest, firstSeenAt: now, lastSeenAt: now, seen: group.length };
    });
    const taken = await this.#letters.insertNew(documents);
    const again = documents.filter(({ _id }) => taken.has(_id));
    for (const [seen, group] of Map.groupBy(again, (document) => document.seen))
      await this.#letters.updateMany(
        group.map(({ _id }) => _id),
        {},
        { $set: { lastSeenAt: now }, $inc: { seen } },
      );
    return new Set([...copies.keys()].filter((id) => !taken.has(id)));
  }

  async count(): Promise<number> {
    return await this.#letters.count({});
  }
}
