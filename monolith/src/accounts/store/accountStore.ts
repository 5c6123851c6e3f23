/** The accounts: who may sign in, with which role. Each has one login, an e-mail address or the name of a service. */
import { randomBytes } from 'node:crypto';
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';
import { ACCOUNTS_COLLECTION, type CallerRecord, type RevokedToken, type Role } from '@fit/service';

export interface Account extends CallerRecord {
  /** Unique. Of a person the e-mail address in its compared form, of a service its name, which has no @. */
  readonly login: string;
  /** As it was entered; only people have one. */
  readonly email?: string | undefined;
  readonly name: string;
  /** Only people have one. */
  readonly passwordHash?: string | undefined;
  /** The newest secret of a service, and the one before it. */
  readonly secrets?: readonly ServiceSecret[];
  /** True until the profile of a new member is stored. */
  readonly needsProfile?: boolean;
  readonly createdAt: Date;
}

export interface ServiceSecret {
  /** SHA-256 in base64url. A secret has 256 random bits, so a slow hash would protect it no better. */
  readonly hash: string;
  /** Until when it is accepted; null: until the next one is made. */
  readonly until: Date | null;
}

/** What of an account an administrator may change. */
export interface AccountChanges {
  readonly role?: Role;
  readonly isDisabled?: boolean;
  readonly passwordHash?: string;
}

/** Tokens of one account that are logged out at a time; one more ends all tokens of the account. */
const REVOKED_LIMIT = 100;
/** The id of the first administrator is fixed, so of any number of requests that make one exactly one succeeds. */
export const FIRST_ADMIN_ID = 'first-admin';

/** @returns a random text for `Account.stamp`. */
export function newStamp(): string {
  return randomBytes(12).toString('base64url');
}

export class AccountStore {
  readonly #accounts: DocumentCollection<Account>;

  constructor(database: StoreDatabase) {
    this.#accounts = database.collection<Account>(ACCOUNTS_COLLECTION);
  }

  async ensureIndexes(): Promise<void> {
    await this.#accounts.ensureIndex({ login: 1 }, { unique: true });
    await this.#accounts.ensureIndex({ pseudonym: 1 });
    await this.#accounts.ensureIndex({ userId: 1 });
  }

  /** @returns false if the id or the login is taken; nothing is changed then. */
  async create(account: Account): Promise<boolean> {
    await this.#accounts.insertNew([account]);
    // After a lost connection the statement is repeated and finds what its first try has stored, so the stored stamp decides.
    return (await this.find(account._id))?.stamp === account.stamp;
  }

  async find(id: string): Promise<Account | undefined> {
    return await this.#accounts.findOne(id);
  }

  async findByLogin(login: string): Promise<Account | undefined> {
    const [found] = await this.#accounts.find({ filter: { login }, limit: 1 });
    return found;
  }

  /** @returns the accounts that these pseudonyms of the audit name. */
  async findByPseudonyms(pseudonyms: readonly string[]): Promise<Account[]> {
    if (pseudonyms.length === 0) return [];
    return await this.#accounts.find({
      filter: { pseudonym: { $in: [...pseudonyms] } },
      limit: pseudonyms.length,
    });
  }

  /** @returns the accounts that belong to a user. */
  async ofUser(userId: string): Promise<Account[]> {
    return await this.#accounts.find({ filter: { userId }, limit: 100 });
  }

  async delete(id: string): Promise<void> {
    await this.#accounts.deleteMany([id]);
  }

  /** @returns the next accounts after an id, in the order of their ids. */
  async list(after: string, limit: number): Promise<Account[]> {
    return await this.#accounts.find({ filter: { _id: { $gt: after } }, sort: { _id: 1 }, limit });
  }

  /**
   * A new password and a disabled account get a new stamp, which ends every token and session.
   * @returns the changed account; undefined if there is none with this id.
   */
  async change(id: string, changes: AccountChanges): Promise<Account | undefined> {
    const endsAll = changes.isDisabled === true || changes.passwordHash !== undefined;
    const stamp = endsAll ? { stamp: newStamp(), revoked: [] } : {};
    return await this.#accounts.findOneAndUpdate(id, {}, { $set: { ...changes, ...stamp } });
  }

  async hasEnabledAdmin(): Promise<boolean> {
    const filter = { role: 'admin', isDisabled: false } as const;
    return (await this.#accounts.find({ filter, limit: 1 })).length > 0;
  }

  /** Gives an account the role and the tokens back that it had before a change, unless it was changed again since. */
  async takeBack(before: Account, changed: Account): Promise<void> {
    const { role, isDisabled, stamp, revoked = [] } = before;
    await this.#accounts.updateOne(
      before._id,
      { $set: { role, isDisabled, stamp, revoked } },
      { role: changed.role, isDisabled: changed.isDisabled, stamp: changed.stamp },
    );
  }

  /** Ends one token before its time. */
  async revoke(id: string, token: RevokedToken, now: Date): Promise<void> {
    await this.#accounts.updateOne(id, { $pull: { revoked: { until: { $lt: now } } } });
    const { matchedCount } = await this.#accounts.updateOne(
      id,
      { $push: { revoked: token } },
      { [`revoked.${REVOKED_LIMIT - 1}`]: { $exists: false } },
    );
    if (matchedCount === 0)
      await this.#accounts.updateOne(id, { $set: { stamp: newStamp(), revoked: [] } });
  }

  async markProfileStored(id: string): Promise<void> {
    await this.#accounts.updateOne(id, { $unset: { needsProfile: true } });
  }

  /**
   * @param seen the secrets that were read; if another process has changed them since, nothing is changed.
   * @returns whether the secrets were replaced.
   */
  async replaceSecrets(
    id: string,
    seen: readonly ServiceSecret[],
    secrets: readonly ServiceSecret[],
  ): Promise<boolean> {
    const { matchedCount } = await this.#accounts.updateOne(
      id,
      { $set: { secrets } },
      { 'secrets.0.hash': seen[0]?.hash ?? null },
    );
    return matchedCount > 0;
  }
}
