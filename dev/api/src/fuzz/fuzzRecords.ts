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
import { eventually } from '@fit/stack/testing';
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
/** A user who is deleted before the requests. */
const LEFT_ID = 'left';
const RUN_WAIT_MS = 120_000;
/** Accounts that the requests may change; several, because some requests disable one or give it another password. */
const CHANGING_COUNT = 8;

interface NewAccountReply {
  readonly account: { readonly id: string; readonly userId?: string };
  readonly secret?: string;
}

/** Environment of a system whose jobs die soon while the records are made. */
export const FUZZ_ENVIRONMENT = { FIT_TIERS: '100ms' } as const;

/** Makes an account of each role, users, a run that has made their workouts, and what makes their operations succeed: `makeFailures`. */
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
  const leavingIds = Array.from({ length: 10 }, (_, index) => `leaving-${index}`);
  await client.createUsers([...userIds, LEFT_ID, ...leavingIds].map((id) => ({ id })));
  await client.request('DELETE', `/users/${LEFT_ID}`);
  const { runId, date } = await client.generateWods();
  await followRun({ client, runId, waitMs: RUN_WAIT_MS, onProgress: () => undefined });
  const { jobs } = (await client.request('GET', '/jobs')) as { jobs: { id: string }[] };
  const failures = await makeFailures(client);
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
      leavingIds,
      workoutId: `${people.member.account.userId ?? ''}:${date}`,
      changingNames: changing.map((_, index) => `changing-${index}`),
      changingIds: changing.map(({ account }) => account.id),
      changingServiceId: changingService.account.id,
      client: { client_id: 'fuzz-service', client_secret: service.secret ?? '' },
      failures,
    }),
  };
}

/** What there is only where jobs fail or wait. */
interface Failures {
  readonly fingerprint: string;
  readonly deadIds: readonly string[];
  /** In a queue that is paused. */
  readonly waitingIds: readonly string[];
  readonly waitingRunId: string;
  /** The main queue of a kind that has no jobs, so that a request may resume it. */
  readonly otherQueue: string;
  readonly workerId: string;
  /** Operations by the request that each is for. */
  readonly running: readonly string[];
  readonly paused: string;
}

const DEAD_DATE = '2026-12-02';
const WAITING_DATES = ['2026-12-03', '2026-12-04'] as const;
const COUNTED_MS = 60_000;
const POLL_MS = 200;
/** @returns the options of a wait for what the running system does by itself. */
const until = (what: string) => ({
  deadlineMs: COUNTED_MS,
  intervalMs: POLL_MS,
  describe: () => what,
});
const REASON = { reason: 'A test of the API' };

/** Lets every job of a run die, then pauses the queue and starts two more runs, and begins replays that hardly go on. */
async function makeFailures(client: FitClient): Promise<Failures> {
  const ids = Array.from({ length: 30 }, (_, index) => `user-${index}`);
  await client.createUsers(ids.map((id) => ({ id })));
  await client.request('PATCH', '/settings', { body: { COACH_FAILURE_RATE: 1, ...REASON } });
  await eventually(async () => {
    const { settings } = (await client.request('GET', '/settings')) as {
      settings: { name: string; inForce?: { value: unknown }[] }[];
    };
    const rate = settings.find(({ name }) => name === 'COACH_FAILURE_RATE');
    return rate?.inForce?.every(({ value }) => value === 1) === true ? true : undefined;
  }, until('COACH_FAILURE_RATE is not 1 in all workers'));
  const start = async (date: string, userIds: readonly string[]) =>
    await client.generateWods({ date, userIds: [...userIds] });
  const { runId } = await start(DEAD_DATE, ids);
  await followRun({ client, runId, waitMs: RUN_WAIT_MS, onProgress: () => undefined });
  const fingerprint = await eventually(async () => {
    const { failures } = (await client.request('GET', '/failures')) as {
      failures: { fingerprint: string }[];
    };
    return failures[0]?.fingerprint;
  }, until('no group of failures is counted'));
  const { queues } = (await client.request('GET', '/queues')) as {
    queues: { name: string; role: string; kind: string }[];
  };
  const mainQueues = queues.filter(({ role }) => role === 'main');
  const queue = mainQueues.find(({ kind }) => kind === 'createWod')?.name ?? '';
  await client.request('POST', `/queues/${queue}/pause`, { body: REASON });
  const workers = await eventually(async () => {
    const reply = (await client.request('GET', '/workers')) as {
      workers: { id: string; queue: string; state: string }[];
    };
    const itsWorkers = reply.workers.filter((worker) => worker.queue === queue);
    return itsWorkers.every(({ state }) => state === 'paused') ? itsWorkers : undefined;
  }, until('the workers of the paused queue are not paused'));
  const [cancelled, waiting] = [
    await start(WAITING_DATES[0], ids),
    await start(WAITING_DATES[1], ids),
  ];
  await eventually(async () => {
    const { expanded } = await client.run(waiting.runId);
    return expanded === ids.length ? true : undefined;
  }, until('the waiting run is not expanded'));
  const replay = async (options: object) => {
    const body = { type: 'replay', all: true, ratePerSecond: 0.1, ...REASON, ...options };
    return ((await client.request('POST', '/operations', { body })) as { id: string }).id;
  };
  const paused = await replay({ pauseAfter: 1 });
  const running = [await replay({}), await replay({})];
  await eventually(async () => {
    const { state } = (await client.request('GET', `/operations/${paused}`)) as { state: string };
    return state === 'paused' ? true : undefined;
  }, until('the operation does not pause'));
  return {
    fingerprint,
    deadIds: ids.map((id) => `createWod:${id}:${DEAD_DATE}`),
    waitingIds: ids.map((id) => `createWod:${id}:${WAITING_DATES[1]}`),
    waitingRunId: cancelled.runId,
    otherQueue: mainQueues.find(({ name }) => name !== queue)?.name ?? '',
    workerId: workers[0]?.id ?? '',
    running,
    paused,
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
  /** Users who may be deleted: an id of a deleted one stays taken. */
  readonly leavingIds: readonly string[];
  /** Of the member. */
  readonly workoutId: string;
  readonly changingNames: readonly string[];
  readonly changingIds: readonly string[];
  readonly changingServiceId: string;
  readonly client: { readonly client_id: string; readonly client_secret: string };
  readonly failures: Failures;
}

function hintsOf({
  date,
  runId,
  jobIds,
  userIds,
  leavingIds,
  workoutId,
  changingNames,
  changingIds,
  changingServiceId,
  client,
  failures,
}: MadeRecords): Hints {
  const { fingerprint, deadIds, waitingIds, waitingRunId, otherQueue, workerId } = failures;
  const [toPause = '', toAbort = ''] = failures.running;
  const password = fc.constant(PASSWORD);
  const knownEmail = fc.constantFrom(...changingNames.map(emailOf));
  const newEmail = fc.uuid().map((id) => emailOf(id));
  const signIn = fc.record({ email: knownEmail, password });
  return {
    'path.id': fc.constantFrom(...userIds),
    'deleteUsersId.path.id': fc.constantFrom(...leavingIds),
    'getUsersIdDeletion.path.id': fc.constant(LEFT_ID),
    'path.workoutId': fc.constant(workoutId),
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
    'path.fingerprint': fc.constant(fingerprint),
    'path.name': fc.constant(otherQueue),
    'path.workerId': fc.constant(workerId),
    'path.operationId': fc.constantFrom(failures.paused, toPause, toAbort),
    'postOperationsOperationIdPause.path.operationId': fc.constant(toPause),
    'postOperationsOperationIdResume.path.operationId': fc.constant(failures.paused),
    'postOperationsOperationIdAbort.path.operationId': fc.constant(toAbort),
    'postJobsJobIdRetry.path.jobId': fc.constantFrom(...deadIds),
    'postJobsJobIdCancel.path.jobId': fc.constantFrom(...waitingIds),
    'postRunsRunIdCancel.path.runId': fc.constant(waitingRunId),
    'postOperations.body': fc.constantFrom(
      { type: 'replay', all: true, dryRun: true, ...REASON },
      { type: 'replay', ids: deadIds.slice(0, 3), ...REASON },
      { type: 'replay', fingerprint, ratePerSecond: 0.1, limit: 1, ...REASON },
    ),
    'patchSettings.body': fc.constantFrom(
      { COACH_FAILURE_RATE: 1, ...REASON },
      { reset: ['COACH_FAILURE_RATE'], ...REASON },
    ),
    'body.reason': fc.constant(REASON.reason),
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
    'patchUsersId.body': fc.constantFrom({ level: 'rx' }, { goal: null }, { weightKg: 70 }),
    // An id that is taken is answered with 409.
    'postUsers.body': fc.constantFrom({}, { name: 'New' }, { id: `new-${randomUUID()}` }),
  };
}
