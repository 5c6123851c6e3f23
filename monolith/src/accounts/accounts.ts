/** Registers people, checks who signs in, and changes accounts. */
import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import {
  type Caller,
  type CallerMemory,
  invalidInput,
  issueToken,
  type KeyRing,
  Problem,
  type Role,
  sessionIdOf,
  TOKEN_LIFETIME_SECONDS,
} from '@fit/service';
import { newPseudonym } from '../audit/pseudonym.ts';
import type { UserStore } from '../store/userStore.ts';
import {
  ACCOUNT_EXISTS,
  ACCOUNT_NOT_FOUND,
  ALREADY_BOOTSTRAPPED,
  EMAIL_TAKEN,
  INVALID_CREDENTIALS,
  LAST_ADMIN,
  NO_PASSWORD,
  NO_SERVICE_ACCOUNT,
  NO_USER,
  NOT_A_MEMBER,
  OWN_ACCOUNT,
  REGISTRATION_CLOSED,
  ROLE_OF_SERVICE,
  SECRET_IN_FILE,
  SECRET_RENEWED,
  WRONG_BOOTSTRAP_SECRET,
} from './accountProblems.ts';
import { loginOfEmail } from './emailAddress.ts';
import { faultOfPassword, hashPassword, isPassword } from './passwords.ts';
import { hashSecret, isSecret, withSecret } from './serviceSecrets.ts';
import {
  type Account,
  type AccountChanges,
  type AccountStore,
  FIRST_ADMIN_ID,
  newStamp,
} from './store/accountStore.ts';
import type { SessionStore } from './store/sessionStore.ts';
import type { SignInLimits } from './store/signInLimits.ts';

export interface AccountsParts {
  readonly accounts: AccountStore;
  readonly sessions: SessionStore;
  readonly limits: SignInLimits;
  readonly users: Pick<UserStore, 'create'>;
  readonly keyRing: KeyRing;
  /** What this process remembers of callers; whoever is ended is forgotten at once. */
  readonly callers: CallerMemory;
  /** Whoever knows it may make the first administrator. */
  readonly bootstrapSecret: string;
  /** Whether everybody may register as a member now. */
  readonly isRegistrationOpen: () => boolean;
  /** @returns the present secret of cron's account. It is read again when cron is refused. */
  readonly readCronSecret: () => Promise<string>;
}

export interface NewPerson {
  readonly email: string;
  readonly password: string;
  readonly name: string;
}

/** A signed token and what its holder is told. */
export interface IssuedToken {
  readonly token: string;
  readonly expiresInSeconds: number;
}

/** How long the session of a browser lasts, whatever it does; its cookie ends with it. */
export const SESSION_SECONDS = 12 * 3_600;
/** The account of cron_job.ts. */
export const CRON_ACCOUNT_ID = 'cron';

export class Accounts {
  readonly #parts: AccountsParts;

  constructor(parts: AccountsParts) {
    this.#parts = parts;
  }

  /**
   * Makes the first administrator, once for a database.
   * @throws Problem 401 `wrong_bootstrap_secret`, 409 `already_bootstrapped`, 400, 429
   */
  async bootstrap(
    secret: string | undefined,
    person: NewPerson,
    address: string,
  ): Promise<Account> {
    const digest = (text: string) => createHash('sha256').update(text).digest();
    const { bootstrapSecret } = this.#parts;
    if (secret === undefined || !timingSafeEqual(digest(secret), digest(bootstrapSecret))) {
      await this.#parts.limits.countWrongSecret('bootstrap', address);
      throw new Problem({
        ...WRONG_BOOTSTRAP_SECRET,
        title:
          'Send the bootstrap secret as a bearer token; the file that FIT_BOOTSTRAP_SECRET_FILE names holds it',
        headers: { 'www-authenticate': 'Bearer realm="fit bootstrap"' },
      });
    }
    const account = await this.#newPerson(person, 'admin', FIRST_ADMIN_ID);
    if (await this.#parts.accounts.create(account)) return account;
    throw (await this.#parts.accounts.find(FIRST_ADMIN_ID)) === undefined
      ? emailTaken()
      : new Problem({
          ...ALREADY_BOOTSTRAPPED,
          title: 'There is a first administrator already',
        });
  }

  /** @throws Problem 403 `registration_closed`, 409 `email_taken`, 400, 429 */
  async register(person: NewPerson, address: string): Promise<Account> {
    if (!this.#parts.isRegistrationOpen())
      throw new Problem({
        ...REGISTRATION_CLOSED,
        title: 'An administrator makes the accounts of this server',
      });
    await this.#parts.limits.beginRegistration(address);
    return await this.createPerson(person, 'member', undefined);
  }

  /**
   * @param userId the user that a member's account belongs to; default: a new user.
   * @throws Problem 409 `email_taken`, 400
   */
  async createPerson(person: NewPerson, role: Role, userId: string | undefined): Promise<Account> {
    const made = await this.#newPerson(person, role, randomUUID());
    const account: Account =
      role === 'member' ? { ...made, userId: userId ?? randomUUID(), needsProfile: true } : made;
    if (!(await this.#parts.accounts.create(account))) throw emailTaken();
    await this.#storeProfile(account);
    return account;
  }

  /** @returns the account and its secret, which is shown this once. @throws Problem 409 `account_exists` */
  async createService(name: string): Promise<{ account: Account; secret: string }> {
    const secret = randomBytes(32).toString('base64url');
    const account: Account = {
      _id: randomUUID(),
      login: name,
      name,
      role: 'service',
      pseudonym: newPseudonym(),
      isDisabled: false,
      stamp: newStamp(),
      secrets: withSecret([], secret, new Date()),
      createdAt: new Date(),
    };
    if (await this.#parts.accounts.create(account)) return { account, secret };
    throw new Problem({
      ...ACCOUNT_EXISTS,
      title: `There is an account ${name} already`,
    });
  }

  /**
   * @returns a new secret of a service account; the one before it stays valid for an hour.
   * @throws Problem 404 `account_not_found`, 409 `no_service_account`, `secret_in_file`, `secret_renewed`
   */
  async renewSecret(id: string): Promise<string> {
    const account = await this.find(id);
    if (id === CRON_ACCOUNT_ID)
      throw new Problem({
        ...SECRET_IN_FILE,
        title: 'The secret of cron is the content of its file; write a new one into it',
      });
    if (account.role !== 'service')
      throw new Problem({
        ...NO_SERVICE_ACCOUNT,
        title: 'Only the account of a service has a secret',
      });
    const secret = randomBytes(32).toString('base64url');
    if (await this.#setSecret(account, secret)) return secret;
    throw new Problem({
      ...SECRET_RENEWED,
      title: 'Somebody else made a new secret of this service at the same time',
    });
  }

  /**
   * Makes cron's account with the secret of its file, or gives it a new secret that the file has meanwhile.
   * @throws StoreUnavailable, SecretError
   */
  async provideCronAccount(): Promise<void> {
    await this.#provideCronAccount(await this.#parts.readCronSecret());
  }

  async #provideCronAccount(secret: string): Promise<void> {
    const { accounts } = this.#parts;
    const existing = await accounts.find(CRON_ACCOUNT_ID);
    if (existing !== undefined) {
      await this.#setSecret(existing, secret);
      return;
    }
    await accounts.create({
      _id: CRON_ACCOUNT_ID,
      login: CRON_ACCOUNT_ID,
      name: 'cron',
      role: 'service',
      pseudonym: newPseudonym(),
      isDisabled: false,
      stamp: newStamp(),
      secrets: withSecret([], secret, new Date()),
      createdAt: new Date(),
    });
  }

  /**
   * An unknown address, a wrong password and a disabled account get the same answer after the same time.
   * @throws Problem 401 `invalid_credentials`, 429 `too_many_attempts`, 503
   */
  async signIn(email: string, password: string, address: string): Promise<Account> {
    const { accounts, limits } = this.#parts;
    const login = loginOfEmail(email);
    await limits.beginLogIn(login, address);
    // No account has such a login, so the time of this answer tells nothing.
    if (login === undefined) throw invalidCredentials();
    const account = await accounts.findByLogin(login);
    const isRight = await isPassword(password, account?.passwordHash);
    if (account?.passwordHash === undefined || !isRight || account.isDisabled)
      throw invalidCredentials();
    await limits.logInSucceeded(login, address);
    if (account.needsProfile === true) await this.#storeProfile(account);
    return account;
  }

  /**
   * A secret has 256 random bits, so it is checked first, and only wrong ones are counted: a stranger cannot lock a service out.
   * @throws Problem 401 `invalid_credentials`, 429 `too_many_attempts`
   */
  async signInService(name: string, secret: string, address: string): Promise<Account> {
    const { accounts, limits } = this.#parts;
    let account = await accounts.findByLogin(name);
    if (name === CRON_ACCOUNT_ID && !isSecret(secret, account?.secrets ?? [], new Date())) {
      // The file may have a new secret since it was read last, so that it can be replaced without a restart. A wrong one changes nothing.
      const present = await this.#parts.readCronSecret();
      if (isSecret(secret, withSecret([], present, new Date()), new Date())) {
        await this.#provideCronAccount(present);
        account = await accounts.findByLogin(name);
      }
    }
    const isRight = isSecret(secret, account?.secrets ?? [], new Date());
    if (account !== undefined && isRight && !account.isDisabled) return account;
    await limits.countWrongSecret('service', address);
    throw invalidCredentials();
  }

  async issueToken({ _id, stamp }: Account): Promise<IssuedToken> {
    const token = await issueToken(this.#parts.keyRing, { accountId: _id, stamp });
    return { token, expiresInSeconds: TOKEN_LIFETIME_SECONDS };
  }

  /** Each session has a new random id, so a cookie that somebody placed in a browser before is worth nothing. @returns the cookie's value. */
  async openSession({ _id, stamp }: Account): Promise<string> {
    const cookie = randomBytes(32).toString('base64url');
    await this.#parts.sessions.create({
      _id: sessionIdOf(cookie),
      accountId: _id,
      stamp,
      expiresAt: new Date(Date.now() + SESSION_SECONDS * 1_000),
    });
    return cookie;
  }

  /** Ends the token or the session that the request came with, at once and in all processes. */
  async signOut({ via, credentialId, accountId }: Caller): Promise<void> {
    const { accounts, sessions, callers } = this.#parts;
    if (via === 'cookie') {
      await forgetting(
        () => sessions.delete(credentialId),
        () => {
          callers.forgetSession(credentialId);
        },
      );
      return;
    }
    const now = new Date();
    // The token itself ends before this time.
    const until = new Date(now.getTime() + 2 * TOKEN_LIFETIME_SECONDS * 1_000);
    await this.#forgettingAccount(accountId, () =>
      accounts.revoke(accountId, { id: credentialId, until }, now),
    );
  }

  /** @throws Problem 401 `invalid_credentials`, 409 `no_password`, 400, 429 */
  async changePassword(
    { accountId }: Caller,
    { current, password }: { readonly current: string; readonly password: string },
    address: string,
  ): Promise<void> {
    const { accounts, limits } = this.#parts;
    const account = await this.find(accountId);
    const { login, passwordHash } = account;
    if (passwordHash === undefined)
      throw new Problem({ ...NO_PASSWORD, title: 'A service has no password' });
    requirePassword(password, 'body.password');
    await limits.beginLogIn(login, address);
    if (!(await isPassword(current, passwordHash))) throw invalidCredentials();
    await limits.logInSucceeded(login, address);
    const hashed = await hashPassword(password);
    await this.#forgettingAccount(accountId, () =>
      accounts.change(accountId, { passwordHash: hashed }),
    );
  }

  /** @throws Problem 404 `account_not_found` */
  async find(id: string): Promise<Account> {
    const account = await this.#parts.accounts.find(id);
    if (account !== undefined) return account;
    throw accountNotFound(id);
  }

  async list(after: string, limit: number): Promise<Account[]> {
    return await this.#parts.accounts.list(after, limit);
  }

  /**
   * Nobody changes the own role or disables the own account, so that one administrator always remains; where two administrators
   * do it to each other at once, at least one change is taken back.
   * @throws Problem 404 `account_not_found`, 409 `own_account`, `last_admin`, `role_of_service`, `no_user`, 400
   */
  async change(
    caller: Caller,
    id: string,
    { password, ...changes }: Omit<AccountChanges, 'passwordHash'> & { readonly password?: string },
  ): Promise<Account> {
    const account = await this.find(id);
    const isPowerLost = changes.role !== undefined || changes.isDisabled !== undefined;
    if (id === caller.accountId && isPowerLost)
      throw new Problem({
        ...OWN_ACCOUNT,
        title: 'Another administrator must change the role of your account or disable it',
      });
    const { role = account.role } = changes;
    const isBetweenKinds = (role === 'service') !== (account.role === 'service');
    if (isBetweenKinds || (account.role === 'service' && password !== undefined))
      throw new Problem({
        ...ROLE_OF_SERVICE,
        title:
          'A person cannot become a service, nor a service a person, and a service has no password',
      });
    if (role === 'member' && account.userId === undefined)
      throw new Problem({
        ...NO_USER,
        title: 'This account belongs to no user; make a new account for a member',
      });
    if (password !== undefined) requirePassword(password, 'body.password');
    const passwordHash =
      password === undefined ? {} : { passwordHash: await hashPassword(password) };
    const { accounts } = this.#parts;
    const changed = await this.#forgettingAccount(id, () =>
      accounts.change(id, { ...changes, ...passwordHash }),
    );
    if (changed === undefined) throw accountNotFound(id);
    const isNoAdminNow = changed.role !== 'admin' || changed.isDisabled;
    if (!isPowerLost || !isNoAdminNow || account.role !== 'admin') return changed;
    // The change that was stored last sees all others, so an administrator remains in every order of simultaneous changes.
    if (await accounts.hasEnabledAdmin()) return changed;
    await accounts.takeBack(account, changed);
    throw new Problem({
      ...LAST_ADMIN,
      title: 'No enabled administrator would remain, so the change was taken back',
    });
  }

  /** @throws Problem 409 `not_a_member` if one of them has another role: another administrator has to make it a member first. */
  async ofUser(userId: string): Promise<Account[]> {
    const found = await this.#parts.accounts.ofUser(userId);
    if (found.every(({ role }) => role === 'member')) return found;
    throw new Problem({
      ...NOT_A_MEMBER,
      title: `An account of the user ${userId} has another role than member`,
    });
  }

  /** Ends the accounts of a user at once. */
  async deleteOfUser(userId: string): Promise<void> {
    const { accounts, sessions } = this.#parts;
    for (const { _id } of await accounts.ofUser(userId)) {
      await sessions.deleteOfAccount(_id);
      await this.#forgettingAccount(_id, () => accounts.delete(_id));
    }
  }

  /** The account is forgotten by this process, so that an outage that begins now does not bring back what has ended. */
  async #forgettingAccount<Done>(id: string, change: () => Promise<Done>): Promise<Done> {
    return await forgetting(change, () => {
      this.#parts.callers.forgetAccount(id);
    });
  }

  async #newPerson({ email, password, name }: NewPerson, role: Role, id: string): Promise<Account> {
    const login = loginOfEmail(email);
    if (login === undefined) throw invalidInput('body.email', 'is no e-mail address');
    requirePassword(password, 'body.password');
    return {
      _id: id,
      login,
      email: email.trim(),
      name,
      role,
      pseudonym: newPseudonym(),
      isDisabled: false,
      stamp: newStamp(),
      passwordHash: await hashPassword(password),
      createdAt: new Date(),
    };
  }

  /** The account is stored first, because its login decides between two registrations; a profile that is missing is stored at the next log-in. */
  async #storeProfile({ _id, userId, name, needsProfile }: Account): Promise<void> {
    if (userId === undefined || needsProfile !== true) return;
    await this.#parts.users.create([{ id: userId, name }], new Date());
    await this.#parts.accounts.markProfileStored(_id);
  }

  /** @returns false if another request has renewed the secret since the account was read; nothing is changed then. */
  async #setSecret({ _id, secrets = [] }: Account, secret: string): Promise<boolean> {
    const hash = hashSecret(secret);
    if (secrets[0]?.hash === hash) return true;
    const renewed = withSecret(secrets, secret, new Date());
    if (await this.#parts.accounts.replaceSecrets(_id, secrets, renewed)) return true;
    // After a lost connection the statement is repeated and finds what its first try has stored.
    return (await this.#parts.accounts.find(_id))?.secrets?.[0]?.hash === hash;
  }
}

/** Forgets before the change, in case the database does not answer, and after it, because a request may have read the old state meanwhile. */
async function forgetting<Done>(change: () => Promise<Done>, forget: () => void): Promise<Done> {
  forget();
  try {
    return await change();
  } finally {
    forget();
  }
}

function requirePassword(password: string, field: string): void {
  const fault = faultOfPassword(password);
  if (fault !== undefined) throw invalidInput(field, fault);
}

function emailTaken(): Problem {
  return new Problem({
    ...EMAIL_TAKEN,
    title: 'There is an account with this e-mail address already',
  });
}

function accountNotFound(id: string): Problem {
  return new Problem({
    ...ACCOUNT_NOT_FOUND,
    title: `There is no account ${id}`,
  });
}

export function invalidCredentials(): Problem {
  return new Problem({
    ...INVALID_CREDENTIALS,
    title: 'The e-mail address or the password is wrong, or the account is disabled',
  });
}
