/** The accounts, users, runs and workouts that the requests of the fuzz test are about, made over the API of a running system. */
import { randomUUID } from 'node:crypto';
import { type FitClient, followRun } from '@fit/client';
import { connectStore } from '@fit/jobs/store';
import {
  ACCOUNTS_COLLECTION,
  type CallerRecord,
  issueToken,
  openAccess,
  SESSION_COOKIE,
} from '@fit/service';
import fc from 'fast-check';
import type { CallerName, Hints } from './requestCases.ts';

export interface FuzzRecords extends AsyncDisposable {
  readonly hints: Hints;
  /** @returns the headers of a new request of this caller: a new token each time, so that no request ends the token of another one. */
  credentialsOf(caller: CallerName): Promise<Readonly<Record<string, string>>>;
}

export interface FuzzRecordsOptions {
  /** Of the monolith. */
  readonly url: string;
  /** Of an administrator. */
  readonly client: FitClient;
  readonly mongodbUrl: string;
}

const PASSWORD = 'fuzz-password-1';
const RUN_WAIT_MS = 120_000;
/** Accounts that the requests may change; several, because some requests disable one or give it another password. */
const CHANGING_COUNT = 8;

interface NewAccountReply {
  readonly account: { readonly id: string; readonly userId?: string };
  readonly secret?: string;
}

/** Makes an account of each role, users, and a run that has made their workouts. */
export async function makeFuzzRecords({
  url,
  client,
  mongodbUrl,
}: FuzzRecordsOptions): Promise<FuzzRecords> {
  const create = async (role: string, name: string, fields: object = {}) =>
    (await client.request('POST', '/accounts', {
      body: { role, name, ...fields },
    })) as NewAccountReply;
  const createPerson = async (role: string, name: string) =>
    await create(role, name, { email: emailOf(name), password: PASSWORD });
  const people = {
    admin: await createPerson('admin', 'admin'),
    operator: await createPerson('operator', 'operator'),
    viewer: await createPerson('viewer', 'viewer'),
    member: await createPerson('member', 'member'),
  };
  const service = await create('service', 'fuzz-service');
  const changingService = await create('service', 'fuzz-changing');
  const changing = await Promise.all(
    Array.from({ length: CHANGING_COUNT }, (_, index) =>
      createPerson('member', `changing-${index}`),
    ),
  );
  const userIds = ['ann', 'bob', 'cid'];
  await client.createUsers(userIds.map((id) => ({ id })));
  const { runId, date } = await client.generateWods();
  await followRun({ client, runId, waitMs: RUN_WAIT_MS, onProgress: () => undefined });
  const { jobs } = (await client.request('GET', '/jobs')) as { jobs: { id: string }[] };
  const cookie = await openSession(url, emailOf('admin'));

  const store = connectStore(mongodbUrl);
  const accounts = store.database.collection<CallerRecord>(ACCOUNTS_COLLECTION);
  const accountIds = {
    ...Object.fromEntries(Object.entries(people).map(([role, { account }]) => [role, account.id])),
    service: service.account.id,
  } as Readonly<Record<CallerName, string>>;
  let changingIndex = 0;
  const accountIdOf = (caller: CallerName): string => {
    if (caller !== 'changing') return accountIds[caller];
    changingIndex += 1;
    return changing[changingIndex % changing.length]?.account.id ?? '';
  };
  return {
    [Symbol.asyncDispose]: () => store.close(),
    credentialsOf: async (caller) => {
      if (caller === 'none') return {};
      if (caller === 'wrong') return { authorization: 'Bearer wrong' };
      if (caller === 'cookie') return { cookie, 'x-fit-csrf': '1' };
      const accountId = accountIdOf(caller);
      const stamp = (await accounts.findOne(accountId))?.stamp ?? '';
      // A key that is read once would be an old one after a request has made a new one.
      const token = await issueToken(openAccess(store.database).keyRing, { accountId, stamp });
      return { authorization: `Bearer ${token}` };
    },
    hints: hintsOf({
      date,
      runId,
      jobIds: jobs.map(({ id }) => id),
      userIds: [...userIds, people.member.account.userId ?? ''],
      changingNames: changing.map((_, index) => `changing-${index}`),
      changingIds: changing.map(({ account }) => account.id),
      changingServiceId: changingService.account.id,
      client: { client_id: 'fuzz-service', client_secret: service.secret ?? '' },
    }),
  };
}

function emailOf(name: string): string {
  return `${name}@fuzz.example`;
}

/** @returns the cookie of a session. */
async function openSession(url: string, email: string): Promise<string> {
  const response = await fetch(`${url}/auth/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password: PASSWORD }),
  });
  const [cookie] = response.headers
    .getSetCookie()
    .filter((text) => text.startsWith(SESSION_COOKIE));
  if (cookie === undefined)
    throw new Error(`no session: ${response.status} ${await response.text()}`);
  return cookie.replace(/;.*/, '');
}

interface MadeRecords {
  readonly date: string;
  readonly runId: string;
  readonly jobIds: readonly string[];
  readonly userIds: readonly string[];
  readonly changingNames: readonly string[];
  readonly changingIds: readonly string[];
  readonly changingServiceId: string;
  readonly client: { readonly client_id: string; readonly client_secret: string };
}

function hintsOf({
  date,
  runId,
  jobIds,
  userIds,
  changingNames,
  changingIds,
  changingServiceId,
  client,
}: MadeRecords): Hints {
  const password = fc.constant(PASSWORD);
  const knownEmail = fc.constantFrom(...changingNames.map(emailOf));
  const newEmail = fc.uuid().map((id) => emailOf(id));
  const signIn = fc.record({ email: knownEmail, password });
  return {
    'path.id': fc.constantFrom(...userIds),
    'path.userId': fc.constantFrom(...userIds),
    'path.runId': fc.constant(runId),
    'path.jobId': fc.constantFrom(...jobIds),
    'path.accountId': fc.constantFrom(...changingIds),
    'postAccountsAccountIdSecret.path.accountId': fc.constant(changingServiceId),
    'getRunbooksName.path.name': fc.constant('CronOverdue.md'),
    'getConsoleName.path.name': fc.constant('main.js'),
    'getDocsName.path.name': fc.constant('start.js'),
    'query.runId': fc.constant(runId),
    'query.date': fc.constant(date),
    'body.date': fc.constant(date),
    'body.userIds': fc.uniqueArray(fc.constantFrom(...userIds), { minLength: 1 }),
    'body.dueBy': fc.constantFrom('2026-12-01T06:05:00Z', null),
    'body.email': newEmail,
    'body.username': knownEmail,
    'body.password': password,
    'body.current': password,
    'postAuthLogin.body': signIn,
    'postAuthSession.body': signIn,
    'postOauthToken.body': fc.oneof(
      fc.record({ grant_type: fc.constant('password'), username: knownEmail, password }),
      fc.constant({ grant_type: 'client_credentials', ...client }),
    ),
    'postAccounts.body': fc.oneof(
      fc.record({
        role: fc.constantFrom('member', 'viewer', 'operator', 'admin'),
        name: fc.constant('New'),
        email: newEmail,
        password,
      }),
      fc.record({
        role: fc.constant('service'),
        name: fc.uuid().map((id) => `s-${id}`),
      }),
    ),
    'patchAccountsAccountId.body': fc.constantFrom(
      { isDisabled: false },
      { password: PASSWORD, isDisabled: false },
      { role: 'member' },
    ),
    // An id that is taken is answered with 409.
    'postUsers.body': fc.constantFrom({}, { name: 'New' }, { id: `new-${randomUUID()}` }),
  };
}
