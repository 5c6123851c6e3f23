/**
 * Goal: without the database every route that needs it answers 503 with Retry-After. Method: real servers over a database
 * that is not there, and over one that hangs.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  BatchStore,
  CancellationStore,
  connectStore,
  DatabaseClock,
  DeadJobStore,
  JobStore,
  ResultStore,
  RunStore,
} from '@fit/jobs/store';
import { createApp, listen } from '@fit/service';
import { testDatabaseUrl } from '@fit/stack/testing';
import { storedWodRoutes as coachRoutes } from '../../../coach/src/routes/storedWodRoutes.ts';
import { WodStore } from '../../../coach/src/store/wodStore.ts';
import { acceptToken } from '../../../service/test/support/acceptToken.ts';
import { NO_AUDIT } from '../../../service/test/support/noAudit.ts';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import { AccountStore } from '../../src/accounts/store/accountStore.ts';
import { Audit } from '../../src/audit/audit.ts';
import { AuditStore } from '../../src/audit/store/auditStore.ts';
import { jobRoutes } from '../../src/routes/jobRoutes.ts';
import { type RunRouteParts, runRoutes } from '../../src/routes/runRoutes.ts';
import { userRoutes } from '../../src/routes/userRoutes.ts';
import { RunStarter } from '../../src/runs/runStarter.ts';
import { UserStore } from '../../src/store/userStore.ts';

const TOKEN = 'q7Zr2mXc9Lw4Tn8Vb1Ks6Jd3Hf5Gy0Pe';
const REQUESTS = [
  ['GET', '/users'],
  ['GET', '/users/ann'],
  ['GET', '/users/ann/wod'],
  ['GET', '/wods/ann'],
  ['GET', '/jobs'],
  ['GET', '/jobs/createWod:ann:2026-12-01'],
  ['GET', '/runs'],
  ['GET', '/runs/run-1'],
  ['POST', '/users', { level: 'rx', equipment: [] }],
  ['POST', '/users/batch', { users: [{ level: 'rx', equipment: [] }] }],
  ['POST', '/generateWods', {}],
  ['POST', '/generateWods', { userIds: ['ann'] }],
] as const;

/** Serves every route of both services that uses the database. */
async function serve(t: TestContext, databaseUrl: string) {
  const store = connectStore(databaseUrl);
  t.after(() => store.close());
  const { database } = store;
  const jobs = new JobStore(database);
  const batches = new BatchStore(database);
  const clock = new DatabaseClock(database);
  const runs = new RunStore(database, clock);
  const cancellations = new CancellationStore(database);
  const users = new UserStore(database);
  const defects: unknown[] = [];
  const audit = new Audit({
    entries: new AuditStore(database),
    users,
    accounts: new AccountStore(database),
    clock,
  });
  const app = createApp({
    audit,
    routes: [
      ...userRoutes({ users, jobs, batches, timezone: 'UTC' }),
      ...jobRoutes({
        jobs,
        dead: new DeadJobStore(database),
        batches,
        runs,
        cancellations,
        clock,
        countingRuns: runs,
        wakeRelay: () => undefined,
        results: new ResultStore(database),
      }),
      ...coachRoutes(new WodStore(database), 'UTC'),
      ...runRoutes({
        users,
        jobs,
        runs,
        batches,
        cancellations,
        clock,
        starter: new RunStarter({ runs, expander: () => undefined, today: () => '2026-12-05' }),
        queue: 'createWodQueue',
      }),
    ],
    authenticate: acceptToken(TOKEN),
    onRequest: () => undefined,
    onDefect: (error) => defects.push(error),
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  return { url: server.url, defects };
}

async function assertAllUnavailable(url: string): Promise<void> {
  const answers = REQUESTS.map(async ([method, path, body]) => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { code } = (await response.json()) as { code?: string };
    return [method, path, response.status, code, response.headers.get('retry-after')];
  });
  assert.deepEqual(
    await Promise.all(answers),
    REQUESTS.map(([method, path]) => [method, path, 503, 'store_unavailable', '5']),
  );
}

test('every route answers 503 when nothing listens at the address of the database', {
  timeout: 120_000,
}, async (t) => {
  const { url, defects } = await serve(t, 'mongodb://127.0.0.1:1/none');
  await assertAllUnavailable(url);
  assert.deepEqual(defects, []);
});

test('every route answers 503 when the database accepts connections and answers nothing', {
  timeout: 120_000,
}, async (t) => {
  const proxy = await openProxy(t, testDatabaseUrl());
  const { url, defects } = await serve(t, proxy.url);
  // One request while the database answers opens connections to it.
  const response = await fetch(`${url}/users`, { headers: { authorization: `Bearer ${TOKEN}` } });
  assert.equal(response.status, 200);
  proxy.holdReplies();
  await assertAllUnavailable(url);
  assert.deepEqual(defects, []);
});

test('a request for a run is answered although the statement that stores the run never ends', async (t) => {
  const { promise: never } = Promise.withResolvers<never>();
  const routes = runRoutes({
    users: { findAll: () => never },
    runs: { find: () => never },
    clock: { now: () => new Date() },
    starter: new RunStarter({
      runs: { find: () => never, insertIfAbsent: () => never, release: () => never },
      expander: () => undefined,
      today: () => '2026-12-05',
    }),
    queue: 'createWodQueue',
  } as unknown as RunRouteParts);
  const app = createApp({
    audit: NO_AUDIT,
    routes,
    authenticate: acceptToken(TOKEN),
    onRequest: () => undefined,
    onDefect: (error) => assert.fail(String(error)),
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  const post = (body: object, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${server.url}/generateWods`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/json',
        ...headers,
      },
      body: JSON.stringify(body),
    });
  const replies = await Promise.all([
    post({}),
    post({}, { 'idempotency-key': 'k' }),
    post({}, { 'idempotency-key': 'k' }),
    post({ userIds: ['ann'] }),
  ]);
  assert.deepEqual(
    replies.map(({ status, headers }) => [status, headers.get('retry-after')]),
    Array(4).fill([503, '5']),
  );
});
