/** The keys that sign tokens, in one document that all processes share. */
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';

/** An Ed25519 key as the members of a JWK (RFC 8037). */
export interface TokenKey {
  /** Written into the header of each token that the key signs. */
  readonly kid: string;
  /** The public key in base64url. */
  readonly x: string;
  /** The private key in base64url. */
  readonly d: string;
  readonly createdAt: Date;
}

interface TokenKeyDocument {
  readonly _id: string;
  readonly newestKid: string;
  /** The newest first. It signs; all of them verify. */
  readonly keys: readonly TokenKey[];
}

const ID = 'tokens';

export class TokenKeyStore {
  readonly #keys: DocumentCollection<TokenKeyDocument>;

  constructor(database: StoreDatabase) {
    this.#keys = database.collection<TokenKeyDocument>('tokenKeys');
  }

  /** @returns the keys, the newest first; empty before the first one is stored. */
  async read(): Promise<readonly TokenKey[]> {
    return (await this.#keys.findOne(ID))?.keys ?? [];
  }

  /** Stores the first key unless there is one. @returns the keys; they may be those of another process. */
  async ensure(key: TokenKey): Promise<readonly TokenKey[]> {
    const stored = await this.#keys.upsert(ID, {
      $setOnInsert: { newestKid: key.kid, keys: [key] },
    });
    return stored?.keys ?? [];
  }

  /**
   * Replaces the keys, unless another process has done so since they were read.
   * @param newestKid of the keys that were read.
   * @returns whether they were replaced. A statement that is repeated after a lost connection says false of what its first try did.
   */
  async replace(newestKid: string, keys: readonly TokenKey[]): Promise<boolean> {
    const replaced = await this.#keys.findOneAndUpdate(
      ID,
      { newestKid },
      { $set: { newestKid: keys[0]?.kid ?? newestKid, keys } },
    );
    return replaced !== undefined;
  }
}
