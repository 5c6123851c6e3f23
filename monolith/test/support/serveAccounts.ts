/** A monolith's routes of accounts and users over a new database on the real server. */
import assert from 'node:assert/strict';
import { type TestContext } from 'node:test';
import { connectStore, type StoreConnection } from '@fit/jobs/store';
import {
  type Authenticate,
  createApp,
  type KeyRing,
  listen,
  openAccess,
  type Route,
} from '@fit/service';
import { type TestStore, testStore } from '../../../jobs/test/support/testStore.ts';
import type { Accounts } from '../../src/accounts/accounts.ts';
import { openAccounts } from '../../src/accounts/openAccounts.ts';
import { accountRoutes } from '../../src/accounts/routes/accountRoutes.ts';
import { signInRoutes } from '../../src/accounts/routes/signInRoutes.ts';
import { openAudit } from '../../src/audit/openAudit.ts';
import { auditRoutes } from '../../src/audit/routes/auditRoutes.ts';
import { userRoutes } from '../../src/routes/userRoutes.ts';
import { UserStore } from '../../src/store/userStore.ts';

export const BOOTSTRAP_SECRET = 'q7Zr2mXc9Lw4Tn8Vb1Ks6Jd3Hf5Gy0Pe';
export const CRON_SECRET = 'Xc9Lw4Tn8Vb1Ks6Jd3Hf5Gy0Peq7Zr2m';
export const PASSWORD = 'password123';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** One process of the monolith. */
export interface ServedAccounts {
  readonly url: string;
  readonly store: TestStore;
  readonly connection: StoreConnection;
  readonly accounts: Accounts;
  readonly keyRing: KeyRing;
  /** @returns who sends requests with this token. */
  identify(token: string): ReturnType<Authenticate>;
  /** @param options `token` is sent as a bearer token; `form` as a form instead of JSON. */
  readonly ask: (method: string, path: string, options?: AskOptions) => Promise<Answer>;
  /** @returns a token of the account, which is made if there is none. */
  readonly tokenOf: (email: string, role?: string) => Promise<string>;
}

export interface AskOptions {
  readonly token?: string | undefined;
  readonly body?: unknown;
  readonly form?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ServeOptions {
  /** The process shares the database of this one. */
  readonly beside?: ServedAccounts;
  readonly isRegistrationOpen?: boolean;
  readonly cronSecretFile?: string;
  /** Further routes. */
  readonly routes?: (parts: { store: TestStore; accounts: Accounts }) => readonly Route[];
}

export async function serveAccounts(
  t: TestContext,
  { beside, isRegistrationOpen = true, cronSecretFile, routes }: ServeOptions = {},
): Promise<ServedAccounts> {
  const store = beside?.store ?? (await testStore(t));
  const connection = connectStore(store.url);
  t.after(() => connection.close());
  const { database } = connection;
  const users = new UserStore(database);
  const { authenticate, keyRing, callers } = openAccess(database);
  const accounts = await openAccounts({
    config: {
      bootstrapSecret: BOOTSTRAP_SECRET,
      bootstrapSecretFile: '',
      cronSecret: cronSecretFile === undefined ? CRON_SECRET : undefined,
      cronSecretFile: cronSecretFile ?? '',
    },
    isRegistrationOpen: () => isRegistrationOpen,
    store: connection,
    users,
    keyRing,
    callers,
    onWarning: (line) => assert.fail(line),
  });
  const audit = await openAudit({ database, clock: store.clock });
  const app = createApp({
    authenticate,
    audit,
    onRequest: () => undefined,
    onDefect: (error) => {
      t.diagnostic(String(error instanceof Error ? error.stack : error));
      assert.ifError(error);
    },
    routes: [
      ...signInRoutes(accounts),
      ...accountRoutes(accounts, keyRing),
      ...auditRoutes({ audit }),
      ...userRoutes({ ...store, users, timezone: 'UTC' }),
      ...(routes?.({ store, accounts }) ?? []),
    ],
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  const ask: ServedAccounts['ask'] = async (method, path, { token, body, form, headers } = {}) => {
    const response = await fetch(server.url + path, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(form === undefined ? {} : { body: form }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? {} : (JSON.parse(text) as Answer['body']),
    };
  };
  return {
    url: server.url,
    store,
    connection,
    accounts,
    keyRing,
    identify: (token) => authenticate({ authorization: `Bearer ${token}`, cookie: undefined }),
    ask,
    tokenOf: async (email, role = 'member') => {
      const person = { email, password: PASSWORD, name: email };
      const isKnown = (await accounts.list('', 500)).some((account) => account.email === email);
      const account = isKnown
        ? await accounts.signIn(email, PASSWORD, 'test')
        : await accounts.createPerson(person, role as 'member', undefined);
      return (await accounts.issueToken(account)).token;
    },
  };
}
