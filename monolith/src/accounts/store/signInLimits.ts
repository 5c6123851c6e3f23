/**
 * Limits of log-ins and registrations by account and address, counted in the database, so that all processes share them.
 *
 * rate-limiter-flexible was tried. Its store for MongoDB relies on a unique index beside `_id` and on the error 11000; on the native
 * database two first requests at the same time end with another error ("conflicting key value violates exclusion constraint"). Here
 * one statement on `_id` counts, after a first one has inserted the counter. Windows go by the clock of the process, because the native database refuses `$$NOW` in an upsert that
 * meets another one ("cannot be used within this specific context"); they are minutes long, so clocks that differ by seconds do no harm.
 */
import { createHash } from 'node:crypto';
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';
import { Problem } from '@fit/service';
import { TOO_MANY_ATTEMPTS } from '../accountProblems.ts';

interface Counter {
  /** Name of the limit, and a hash of whom it counts. */
  readonly _id: string;
  /** At most one above the limit. */
  readonly count: number;
  /** End of the window, which began with the first attempt. */
  readonly expiresAt: Date;
  /** When the last attempt within the limit began. */
  readonly countedAt: Date;
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
  /** Wrong secrets of services, or of the first administrator, from one address. They cannot be guessed; this bounds the work. */
  wrongSecretsOfAddress: { attempts: 30, windowMs: MINUTE_MS },
  registrationsOfAddress: { attempts: 100, windowMs: 60 * MINUTE_MS },
} as const satisfies Readonly<Record<string, Limit>>;
type LimitName = keyof typeof LIMITS;

/** A password is checked within this time, so after it an attempt that was counted and not taken back was wrong. */
const ATTEMPT_MS = 5_000;
/** For so long a process answers a refusal from its memory, before it asks the database again. */
const REMEMBERED_MS = 10_000;
const REMEMBERED_LIMIT = 1_000;

/** Whose wrong attempts are counted together; a service cannot use up the attempts of a person. */
type SecretSpace = 'service' | 'bootstrap';

interface Refusal {
  /** Told to the client. */
  readonly retryAtMs: number;
  /** The database is asked again after it. */
  readonly rememberedUntilMs: number;
}

export class SignInLimits {
  readonly #counters: DocumentCollection<Counter>;
  /** By id of a counter, in the order in which they were refused. */
  readonly #refusals = new Map<string, Refusal>();

  constructor(database: StoreDatabase) {
    this.#counters = database.collection<Counter>('signInLimits');
  }

  async ensureIndexes(): Promise<void> {
    await this.#counters.ensureIndex({ expiresAt: 1 }, { expireAfterSeconds: 0 });
  }

  /**
   * Counts a log-in as a wrong one before its password is checked, so that simultaneous requests cannot pass the limit. The limits
   * are asked one after another: what the address or the account and address may not is not counted for the account, because one
   * address could lock every account out.
   * @param login of a person; undefined: a text that is no e-mail address, so it is that of no account.
   * @throws Problem 429 `too_many_attempts`; StoreUnavailable
   */
  async beginLogIn(login: string | undefined, address: string): Promise<void> {
    const limits: [LimitName, ...string[]][] = [['logInsOfAddress', address]];
    if (login !== undefined)
      limits.push(
        ['wrongOfAddress', `person:${login}`, address],
        ['wrongOfAccount', `person:${login}`],
      );
    for (const [name, ...whom] of limits) this.#requireNotRefused(idOf(name, ...whom));
    for (const [name, ...whom] of limits) await this.#count(name, ...whom);
  }

  /** The password was right: the account begins to count from 0 again. @throws StoreUnavailable */
  async logInSucceeded(login: string, address: string): Promise<void> {
    const ids = [
      idOf('wrongOfAddress', `person:${login}`, address),
      idOf('wrongOfAccount', `person:${login}`),
    ];
    await this.#counters.deleteMany(ids);
    for (const id of ids) this.#refusals.delete(id);
  }

  /**
   * Counts a secret that was wrong. The right one is accepted before anything is counted, so nobody can lock a program out.
   * @throws Problem 429 `too_many_attempts`; StoreUnavailable
   */
  async countWrongSecret(space: SecretSpace, address: string): Promise<void> {
    this.#requireNotRefused(idOf('wrongSecretsOfAddress', space, address));
    await this.#count('wrongSecretsOfAddress', space, address);
  }

  /** @throws Problem 429 `too_many_attempts`; StoreUnavailable */
  async beginRegistration(address: string): Promise<void> {
    this.#requireNotRefused(idOf('registrationsOfAddress', address));
    await this.#count('registrationsOfAddress', address);
  }

  /** A statement that is repeated after a lost connection may count twice, which only refuses earlier. */
  async #count(name: LimitName, ...whom: readonly string[]): Promise<void> {
    const { attempts, windowMs } = LIMITS[name];
    const id = idOf(name, ...whom);
    const now = new Date();
    const isOver = { $lte: [{ $ifNull: ['$expiresAt', new Date(0)] }, now] };
    const isFull = { $gte: ['$count', attempts] };
    const end = new Date(now.getTime() + windowMs);
    const update = [
      {
        $set: {
          count: {
            $cond: [isOver, 1, { $cond: [isFull, attempts + 1, { $add: ['$count', 1] }] }],
          },
          expiresAt: { $cond: [isOver, end, '$expiresAt'] },
          countedAt: { $cond: [isOver, now, { $cond: [isFull, '$countedAt', now] }] },
        },
      },
    ];
    let counter = await this.#counters.findOneAndUpdate(id, {}, update);
    if (counter === undefined) {
      // No upsert: after several that meet, no answer says which of them was the first.
      await this.#counters.insertNew([{ _id: id, count: 0, expiresAt: end, countedAt: now }]);
      counter = await this.#counters.findOneAndUpdate(id, {}, update);
    }
    if (counter === undefined || counter.count <= attempts) return;
    const endMs = counter.expiresAt.getTime();
    // The attempts that were counted last may be right ones, which begin to count from 0 when they have been checked.
    const checkedMs = counter.countedAt.getTime() + ATTEMPT_MS;
    const isTakenBack = name === 'wrongOfAddress' || name === 'wrongOfAccount';
    // Others may have counted since `now`, while the statements ran.
    const nowMs = Date.now();
    const retryAtMs = isTakenBack && checkedMs > nowMs ? Math.min(endMs, checkedMs) : endMs;
    this.#remember(id, retryAtMs, nowMs);
    throw tooMany(retryAtMs - nowMs);
  }

  /** A client that goes on after a refusal costs no statement. @throws Problem 429 `too_many_attempts` */
  #requireNotRefused(id: string): void {
    const refusal = this.#refusals.get(id);
    if (refusal === undefined) return;
    const nowMs = Date.now();
    if (refusal.rememberedUntilMs > nowMs) throw tooMany(refusal.retryAtMs - nowMs);
    this.#refusals.delete(id);
  }

  #remember(id: string, retryAtMs: number, nowMs: number): void {
    this.#refusals.delete(id);
    const rememberedUntilMs = Math.min(retryAtMs, nowMs + REMEMBERED_MS);
    this.#refusals.set(id, { retryAtMs, rememberedUntilMs });
    const [oldest] = this.#refusals.keys();
    if (this.#refusals.size > REMEMBERED_LIMIT && oldest !== undefined)
      this.#refusals.delete(oldest);
  }
}

function tooMany(waitMs: number): Problem {
  return new Problem({
    ...TOO_MANY_ATTEMPTS,
    title: 'There were too many attempts from this address or for this account',
    retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1_000)),
  });
}

/** Logins of people are e-mail addresses, which are not stored a second time. */
function idOf(name: LimitName, ...whom: readonly string[]): string {
  return `${name}:${createHash('sha256').update(JSON.stringify(whom)).digest('base64url')}`;
}
