/** What the database says of the sender of a request: the account, and the session of a cookie. Both services read it. */
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';
import type { Role } from '../access.ts';

export const ACCOUNTS_COLLECTION = 'accounts';
export const SESSIONS_COLLECTION = 'sessions';

/** The part of an account that decides whether a token is still valid, and what it allows. */
export interface CallerRecord {
  readonly _id: string;
  readonly role: Role;
  readonly userId?: string | undefined;
  /** Names the account in the audit; nothing but this field leads from it to the account. */
  readonly pseudonym: string;
  readonly isDisabled: boolean;
  /** A random text in every token of the account. A new one ends all of them. */
  readonly stamp: string;
  /** Tokens that were logged out before their end. */
  readonly revoked?: readonly RevokedToken[];
}

export interface RevokedToken {
  readonly id: string;
  /** When the token ends by itself; the entry is then dropped. */
  readonly until: Date;
}

/** The session of a browser. */
export interface SessionDocument {
  /** SHA-256 of the cookie, in base64url, so that who reads the database cannot use the session. */
  readonly _id: string;
  readonly accountId: string;
  /** The account's stamp when the session began. */
  readonly stamp: string;
  readonly expiresAt: Date;
}

export class CallerStore {
  readonly #accounts: DocumentCollection<CallerRecord>;
  readonly #sessions: DocumentCollection<SessionDocument>;

  constructor(database: StoreDatabase) {
    this.#accounts = database.collection<CallerRecord>(ACCOUNTS_COLLECTION);
    this.#sessions = database.collection<SessionDocument>(SESSIONS_COLLECTION);
  }

  async findAccount(id: string): Promise<CallerRecord | undefined> {
    return await this.#accounts.findOne(id);
  }

  async findSession(id: string): Promise<SessionDocument | undefined> {
    return await this.#sessions.findOne(id);
  }
}
