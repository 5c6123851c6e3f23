/** Finds out who sent a request, from its bearer token or its cookie. */
import { createHash } from 'node:crypto';
import { StoreUnavailable } from '@fit/jobs';
import { LOOKUP_LIMITS, type StoreDatabase } from '@fit/jobs/store';
import pTimeout from 'p-timeout';
import type { Caller } from './access.ts';
import { KeyRing } from './keyRing.ts';
import { type CallerRecord, CallerStore, type SessionDocument } from './store/callerStore.ts';
import { TokenKeyStore } from './store/tokenKeyStore.ts';
import { verifyToken } from './tokens.ts';

/** The headers of a request that say who sent it. */
export interface Credentials {
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
}

/** `none`: the request brings no credentials. `wrong`: what it brings is not valid, or not any more. */
export type Identity = Caller | 'none' | 'wrong';

export type Authenticate = (credentials: Credentials) => Promise<Identity>;

export const SESSION_COOKIE = 'fit_session';
/** The name over TLS. A browser takes it only from this host and over TLS, so no other host of the domain can place one. */
export const SECURE_SESSION_COOKIE = `__Host-${SESSION_COOKIE}`;

/** The scheme in upper or lower case, as RFC 9110 allows. */
const BEARER = /^bearer +(.+)$/i;
/** 256 bits in base64url. */
const SESSION_ID = /^[\w-]{43}$/;
/** Where the database does not answer within this time, the last answer counts. */
const STORE_WAIT_MS = 2_000;
/** Last answers are used for this long at most while the database does not answer. */
const LAST_ANSWER_MAX_AGE_MS = 15 * 60_000;
const LAST_ANSWER_LIMIT = 1_000;
/** After the database has not answered, the last answers count at once for this long, and it is asked beside them. */
const SILENCE_MS = 5_000;

/** @returns the bearer token of a header; undefined where there is none. */
export function bearerOf(authorization: string | undefined): string | undefined {
  return BEARER.exec(authorization ?? '')?.[1];
}

/** @returns the id under which the session of a cookie is stored. */
export function sessionIdOf(cookieValue: string): string {
  return createHash('sha256').update(cookieValue).digest('base64url');
}

/** What a process remembers of callers for an outage of the database. */
export type CallerMemory = Pick<Authenticator, 'forgetAccount' | 'forgetSession'>;

export class Authenticator {
  readonly #store: Pick<CallerStore, 'findAccount' | 'findSession'>;
  readonly #keyRing: Pick<KeyRing, 'verifier'>;
  readonly #accounts = new LastAnswers<CallerRecord>();
  readonly #sessions = new LastAnswers<SessionDocument>();

  constructor(
    store: Pick<CallerStore, 'findAccount' | 'findSession'>,
    keyRing: Pick<KeyRing, 'verifier'>,
  ) {
    this.#store = store;
    this.#keyRing = keyRing;
  }

  /** A bearer token comes before a cookie, so a wrong token is not hidden by a valid cookie. @throws StoreUnavailable */
  readonly identify: Authenticate = async ({ authorization, cookie }) => {
    const token = bearerOf(authorization);
    if (token !== undefined) return (await this.#byToken(token)) ?? 'wrong';
    const session = cookieValue(cookie);
    if (session === undefined) return 'none';
    return (await this.#byCookie(session)) ?? 'wrong';
  };

  /** The next request of the account asks the database, so what ended its tokens counts here also if the database is lost now. */
  readonly forgetAccount = (id: string): void => {
    this.#accounts.forget(id);
  };

  /** @param id of `sessionIdOf`. */
  readonly forgetSession = (id: string): void => {
    this.#sessions.forget(id);
  };

  async #byToken(token: string): Promise<Caller | undefined> {
    const claims = await verifyToken(this.#keyRing, token);
    if (claims === undefined) return undefined;
    const account = await this.#account(claims.accountId, claims.stamp);
    if (account === undefined) return undefined;
    if (account.revoked?.some(({ id }) => id === claims.id) === true) return undefined;
    return { ...callerOf(account), via: 'bearer', credentialId: claims.id };
  }

  async #byCookie(value: string): Promise<Caller | undefined> {
    const id = sessionIdOf(value);
    const session = await this.#sessions.read(id, () => this.#store.findSession(id));
    if (session === undefined || session.expiresAt.getTime() <= Date.now()) return undefined;
    const account = await this.#account(session.accountId, session.stamp);
    if (account === undefined) return undefined;
    return { ...callerOf(account), via: 'cookie', credentialId: id };
  }

  /** @returns the account if it is enabled and still has this stamp. */
  async #account(id: string, stamp: string): Promise<CallerRecord | undefined> {
    const account = await this.#accounts.read(id, () => this.#store.findAccount(id));
    return account?.isDisabled === false && account.stamp === stamp ? account : undefined;
  }
}

function callerOf({
  _id,
  pseudonym,
  role,
  userId,
}: CallerRecord): Pick<Caller, 'accountId' | 'pseudonym' | 'role' | 'userId'> {
  return { accountId: _id, pseudonym, role, userId };
}

/** @returns the id in the cookie; an empty text if it is none, or if there are two different ones, of which one was placed by somebody else. */
function cookieValue(header: string | undefined): string | undefined {
  const pairs = (header?.split(';') ?? []).map((pair) => pair.trim().split('='));
  for (const wanted of [SECURE_SESSION_COOKIE, SESSION_COOKIE]) {
    const values = pairs.filter(([name]) => name === wanted).map(([, value = '']) => value);
    const [first] = values;
    if (first === undefined) continue;
    return SESSION_ID.test(first) && values.every((value) => value === first) ? first : '';
  }
  return undefined;
}

/**
 * Remembers what the database said last. The status page has to work above all while the database does not: then the last answer counts,
 * for 15 minutes at most. While the database answers, every request asks it.
 */
class LastAnswers<Answer> {
  readonly #answers = new Map<string, { readonly value: Answer; readonly atMs: number }>();
  /** Until when the last answers count at once; in the past while the database answers. */
  #silentUntilMs = 0;
  #isAskingBeside = false;
  #forgottenCount = 0;

  async read(key: string, ask: () => Promise<Answer | undefined>): Promise<Answer | undefined> {
    const last = this.#answers.get(key);
    if (last === undefined || performance.now() - last.atMs >= LAST_ANSWER_MAX_AGE_MS)
      return await this.#ask(key, ask);
    if (performance.now() < this.#silentUntilMs) {
      this.#askBeside(key, ask);
      return last.value;
    }
    try {
      return await pTimeout(this.#ask(key, ask), {
        milliseconds: STORE_WAIT_MS,
        fallback: () => {
          this.#silentUntilMs = performance.now() + SILENCE_MS;
          return last.value;
        },
      });
    } catch (error) {
      if (error instanceof StoreUnavailable) return last.value;
      throw error;
    }
  }

  forget(key: string): void {
    this.#answers.delete(key);
    this.#forgottenCount += 1;
  }

  async #ask(key: string, ask: () => Promise<Answer | undefined>): Promise<Answer | undefined> {
    const forgottenBefore = this.#forgottenCount;
    const answer = await ask();
    this.#silentUntilMs = 0;
    // The statement may have read what was changed before the answer was to be forgotten.
    if (this.#forgottenCount === forgottenBefore) this.#remember(key, answer);
    return answer;
  }

  /** One statement at a time finds out whether the database answers again. */
  #askBeside(key: string, ask: () => Promise<Answer | undefined>): void {
    if (this.#isAskingBeside) return;
    this.#isAskingBeside = true;
    this.#ask(key, ask)
      .catch(() => {
        this.#silentUntilMs = performance.now() + SILENCE_MS;
      })
      .finally(() => {
        this.#isAskingBeside = false;
      });
  }

  #remember(key: string, value: Answer | undefined): void {
    this.#answers.delete(key);
    if (value === undefined) return;
    this.#answers.set(key, { value, atMs: performance.now() });
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > LAST_ANSWER_LIMIT && oldest !== undefined)
      this.#answers.delete(oldest);
  }
}

/** @returns what identifies callers by the accounts of a database, the keys of their tokens, and what forgets callers who were ended. */
export function openAccess(database: StoreDatabase): {
  readonly authenticate: Authenticate;
  readonly keyRing: KeyRing;
  readonly callers: CallerMemory;
} {
  const lookups = database.withLimits(LOOKUP_LIMITS);
  const keyRing = new KeyRing(new TokenKeyStore(lookups));
  const authenticator = new Authenticator(new CallerStore(lookups), keyRing);
  return { authenticate: authenticator.identify, keyRing, callers: authenticator };
}
