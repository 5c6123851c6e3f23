/**
 * Limits of log-ins and registrations by account and address, counted in the database, so that all processes share them.
 *
 * rate-limiter-flexible was tried. Its store for MongoDB relies on a unique index beside `_id` and on the error 11000; on the native
 * database two first requests at the same time end with another error ("conflicting key value violates exclusion constraint"). Here
 * one statement on `_id` counts. Windows go by the clock of the process, because the native database refuses `$$NOW` in an upsert that
 * meets another one ("cannot be used within this specific context"); they are minutes long, so clocks that differ by seconds do no harm.
 */
import { createHash } from 'node:crypto';
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';
import { Problem } from '@fit/service';
import { TOO_MANY_ATTEMPTS } from '../accountProblems.ts';

interface Counter {
  /** Name of the limit, and a hash of whom it counts. */
  readonly _id: string;
  readonly count: number;
  /** End of the window, which began with the first attempt. */
  readonly expiresAt: Date;
}

interface Limit {
  readonly attempts: number;
  readonly windowMs: number;
}

const MINUTE_MS = 60_000;
const LIMITS = {
  /** Log-ins of one address, right ones included: each costs a hash. Behind a proxy all clients are one address. */
  logInsOfAddress: { attempts: 120, windowMs: MINUTE_MS },
  /** Wrong passwords of one account from one address. */
  wrongOfAddress: { attempts: 10, windowMs: 15 * MINUTE_MS },
  /** Wrong passwords of one account from everywhere. */
  wrongOfAccount: { attempts: 100, windowMs: 60 * MINUTE_MS },
  registrationsOfAddress: { attempts: 100, windowMs: 60 * MINUTE_MS },
} as const satisfies Readonly<Record<string, Limit>>;
type LimitName = keyof typeof LIMITS;

export class SignInLimits {
  readonly #counters: DocumentCollection<Counter>;

  constructor(database: StoreDatabase) {
    this.#counters = database.collection<Counter>('signInLimits');
  }

  async ensureIndexes(): Promise<void> {
    await this.#counters.ensureIndex({ expiresAt: 1 }, { expireAfterSeconds: 0 });
  }

  /**
   * Counts a log-in as a wrong one before its password is checked, so that simultaneous requests cannot pass the limit.
   * @throws Problem 429 `too_many_attempts`; StoreUnavailable
   */
  async beginLogIn(login: string, address: string): Promise<void> {
    await Promise.all([
      this.#count('logInsOfAddress', address),
      this.#count('wrongOfAddress', login, address),
      this.#count('wrongOfAccount', login),
    ]);
  }

  /** The password was right: the account begins to count from 0 again. @throws StoreUnavailable */
  async logInSucceeded(login: string, address: string): Promise<void> {
    await this.#counters.deleteMany([
      idOf('wrongOfAddress', login, address),
      idOf('wrongOfAccount', login),
    ]);
  }

  /** @throws Problem 429 `too_many_attempts`; StoreUnavailable */
  async beginRegistration(address: string): Promise<void> {
    await this.#count('registrationsOfAddress', address);
  }

  /** A statement that is repeated after a lost connection may count twice, which only refuses earlier. */
  async #count(name: LimitName, ...whom: readonly string[]): Promise<void> {
    const { attempts, windowMs } = LIMITS[name];
    const now = new Date();
    const isOver = { $lte: [{ $ifNull: ['$expiresAt', new Date(0)] }, now] };
    const end = new Date(now.getTime() + windowMs);
    const counter = await this.#counters.upsert(idOf(name, ...whom), [
      {
        $set: {
          count: { $cond: [isOver, 1, { $add: ['$count', 1] }] },
          expiresAt: { $cond: [isOver, end, '$expiresAt'] },
        },
      },
    ]);
    if (counter === undefined || counter.count <= attempts) return;
    throw new Problem({
      ...TOO_MANY_ATTEMPTS,
      title: 'There were too many attempts from this address or for this account',
      retryAfterSeconds: Math.max(
        1,
        Math.ceil((counter.expiresAt.getTime() - now.getTime()) / 1_000),
      ),
    });
  }
}

/** Logins of people are e-mail addresses, which are not stored a second time. */
function idOf(name: LimitName, ...whom: readonly string[]): string {
  return `${name}:${createHash('sha256').update(JSON.stringify(whom)).digest('base64url')}`;
}
