/**
 * Goal: docs/access.md has a row for every route of both services, and each service answers every caller as its row says. Method: both
 * services' routes over a real database, each cell asked with a token of its own.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { COACH_DOCUMENT } from '@fit/coach/document';
import { Enqueuer, NO_RUN, newJob } from '@fit/jobs';
import { countingRunStore } from '@fit/jobs/store';
import { MONOLITH_DOCUMENT } from '@fit/monolith/document';
import {
  createApp,
  ErasureStore,
  Health,
  healthRoutes,
  issueToken,
  type KeyRing,
  listen,
  openAccess,
  Settings,
  withDocumentation,
} from '@fit/service';
import { testDatabaseUrl } from '@fit/stack/testing';
import { importJWK, SignJWT } from 'jose';
import { storedWodRoutes } from '../../../coach/src/routes/storedWodRoutes.ts';
import { WodStore } from '../../../coach/src/store/wodStore.ts';
import {
  type AccessRow,
  accessRows,
  CALLERS,
  type CallerName,
  everyRoute,
  readRows,
} from '../../../dev/accessTable.ts';
import { openAudit } from '../../../monolith/src/audit/openAudit.ts';
import { Erasures } from '../../../monolith/src/erasure/erasures.ts';
import { FailureStore } from '../../../monolith/src/failures/store/failureStore.ts';
import { OperationStore } from '../../../monolith/src/operations/store/operationStore.ts';
import { readMonolithConfig } from '../../../monolith/src/readMonolithConfig.ts';
import { monolithRoutes } from '../../../monolith/src/routes/monolithRoutes.ts';
import { RunStarter } from '../../../monolith/src/runs/runStarter.ts';
import { openStatus } from '../../../monolith/src/status/statusBoard.ts';
import { DailyRunStore } from '../../../monolith/src/store/dailyRunStore.ts';
import { UserStore } from '../../../monolith/src/store/userStore.ts';
import { WodRunStore } from '../../../monolith/src/store/wodRunStore.ts';
import { JobSubmitter } from '../../../monolith/src/submit/jobSubmitter.ts';
import {
  type ServedAccounts,
  serveAccounts,
} from '../../../monolith/test/support/serveAccounts.ts';

for (const service of ['monolith', 'coach'] as const)
  test(`docs/access.md has exactly the routes of the ${service}, as npm run access writes them`, () => {
    const rows = accessRows(everyRoute()[service]);
    assert.ok(rows.length >= 4, `${rows.length} rows`);
    assert.deepEqual(readRows(service), rows);
  });

/** Bodies of routes that find out only in a valid request whether something is the caller's own. */
const BODIES: Readonly<Record<string, object>> = {
  'POST /workouts/:workoutId/perform': { result: { score: 5 } },
};

/** What `own` is about: a member whose job it is may read it, and no other one. */
const JOB_OF_ANN = newJob(
  { kind: 'createWod', key: 'ann:2026-12-05', payload: {}, owner: 'ann' },
  { runId: NO_RUN, batch: 'none:', now: new Date() },
);

/** What stands in a path for its parameters. */
const VALUES: Readonly<Record<string, string>> = {
  id: 'ann',
  userId: 'ann',
  jobId: JOB_OF_ANN._id,
};

/** Serves every route of both services, and makes tokens. */
async function serveBoth(t: TestContext) {
  const served = await serveAccounts(t);
  const { store, connection, accounts, keyRing } = served;
  const users = new UserStore(connection.database);
  await users.create([{ id: 'ann' }, { id: 'ben' }], new Date());
  await store.jobs.insert([JOB_OF_ANN]);
  const audit = await openAudit({ database: connection.database, clock: store.clock });
  const erasures = new Erasures({
    store: await ErasureStore.open(connection.database),
    traces: { erase: () => Promise.resolve(true) },
    eraseFromBroker: () => Promise.resolve(),
    leases: store.leases,
    clock: store.clock,
    settleMs: 0,
    onEvent: () => undefined,
  });
  const config = readMonolithConfig({
    MONGODB_URL: testDatabaseUrl(),
    AMQP_URL: 'amqp://127.0.0.1:1',
  });
  const wodRuns = new WodRunStore(connection.database);
  const settings = await Settings.open(connection.database, config.settings);
  t.after(() => {
    settings.stop();
  });
  const status = openStatus(
    config,
    config.declaration,
    { ...store, wodRuns },
    {
      settings,
      depthOf: () => Promise.reject(new Error('no broker')),
    },
  );
  t.after(() => {
    status.stop();
  });
  const health = new Health({ stopping: new AbortController().signal, ready: {} });
  const routes = {
    monolith: withDocumentation(
      [
        ...monolithRoutes({
          stores: store,
          countingRuns: countingRunStore(connection.database, store),
          wakeRelay: () => undefined,
          submitter: new JobSubmitter({
            enqueuer: new Enqueuer({ stores: store, relay: () => undefined }),
            users,
            declaration: config.declaration,
            today: () => '2026-12-05',
          }),
          users,
          accounts,
          keyRing,
          audit,
          erasures,
          starter: new RunStarter({
            runs: store.runs,
            expander: () => undefined,
            today: () => '2026-12-05',
          }),
          failures: new FailureStore(connection.database),
          operations: new OperationStore(connection.database),
          onOperation: () => undefined,
          dailyRun: new DailyRunStore(connection.database),
          declaration: config.declaration,
          status,
          settings,
          timezone: 'UTC',
        }),
        ...healthRoutes(health),
      ],
      MONOLITH_DOCUMENT,
    ),
    coach: withDocumentation(
      [...storedWodRoutes(new WodStore(connection.database), 'UTC'), ...healthRoutes(health)],
      COACH_DOCUMENT,
    ),
  };
  const urls = { monolith: '', coach: '' };
  for (const name of ['monolith', 'coach'] as const) {
    const app = createApp({
      // Each process reads keys and accounts itself.
      authenticate: openAccess(connection.database).authenticate,
      routes: routes[name],
      audit,
      onRequest: () => undefined,
      onDefect: (error) => {
        assert.ifError(error);
      },
    });
    const server = await listen(app.callback(), '127.0.0.1', 0);
    t.after(() => server.close());
    urls[name] = server.url;
  }
  t.after(() => {
    status.streams.close();
  });
  return { ...served, routes, urls };
}

/** @returns a function that makes a new token, because a request may end the one that it is sent with. */
async function tokenMaker({ accounts, store }: ServedAccounts, keyRing: KeyRing) {
  const made = new Map<string, { accountId: string; stamp: string }>();
  for (const [name, caller] of Object.entries(CALLERS)) {
    if (caller === undefined) continue;
    const person = {
      email: `${caller.role}-${made.size}@example.org`,
      password: 'password123',
      name,
    };
    const { _id, stamp } =
      caller.role === 'service'
        ? (await accounts.createService('importer')).account
        : await accounts.createPerson(person, caller.role, caller.userId);
    made.set(name, { accountId: _id, stamp });
  }
  // An account with another role keeps its user from being deleted, so that the requests of this test end no account of its callers.
  await store.raw('accounts').updateOne({ role: 'viewer' }, { $set: { userId: 'ann' } });
  return async (name: CallerName): Promise<string | undefined> => {
    const account = made.get(name);
    return account === undefined ? undefined : await issueToken(keyRing, account);
  };
}

async function expiredToken({ store }: ServedAccounts): Promise<string> {
  const document = await store.raw('tokenKeys').findOne({});
  const [{ kid, x, d }] = document?.['keys'] as [{ kid: string; x: string; d: string }];
  const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', x, d }, 'EdDSA');
  const now = Math.floor(Date.now() / 1_000);
  const account = await store.raw('accounts').findOne({ role: 'admin' });
  return await new SignJWT({ stamp: String(account?.['stamp']) })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
    .setIssuer('fit')
    .setAudience('fit-api')
    .setSubject(String(account?._id))
    .setJti('expired')
    .setIssuedAt(now - 1_900)
    .setExpirationTime(now - 60)
    .sign(key);
}

test('every cell of docs/access.md is what the service answers', {
  timeout: 180_000,
}, async (t) => {
  const both = await serveBoth(t);
  const tokenOf = await tokenMaker(both, both.keyRing);
  const ask = async (url: string, { route }: AccessRow, token: string | undefined) => {
    const [method = '', pattern = ''] = route.split(' ');
    const path = pattern
      .replace(/\{([^}]*)\}/g, '')
      .replace(/:(\w+)/g, (_, name: string) => VALUES[name] ?? 'anything');
    const leaving = new AbortController();
    const response = await fetch(url + path, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(method === 'GET' ? {} : { body: JSON.stringify(BODIES[route] ?? {}) }),
      signal: leaving.signal,
    });
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    const text = isStream ? '' : await response.text();
    leaving.abort();
    const code = text.startsWith('{') ? (JSON.parse(text) as { code?: string }).code : undefined;
    return { status: response.status, code };
  };
  let count = 0;
  for (const service of ['monolith', 'coach'] as const) {
    // The patterns of the routes that are served, and the expectation of the document.
    assert.deepEqual(
      both.routes[service].flatMap(({ paths }) => paths).sort(),
      everyRoute()
        [service].flatMap(({ paths }) => paths)
        .sort(),
    );
    const rows = new Map(readRows(service).map((row) => [row.route, row]));
    for (const { method, paths } of both.routes[service])
      for (const path of paths) {
        const route = `${method.toUpperCase()} ${path}`;
        const row = rows.get(route) ?? assert.fail(`docs/access.md has no row for ${route}`);
        for (const [name, expected] of Object.entries(row.cells)) {
          const token = await tokenOf(name as CallerName);
          const { status, code } = await ask(both.urls[service], row, token);
          const place = `${route} by ${name}: ${status} ${code ?? ''}`;
          if (expected === '404') assert.equal(status, 404, place);
          else if (expected === 'yes' || expected === 'own')
            assert.ok(
              ![401, 403, ...(row.route.includes(':jobId') ? [404] : [])].includes(status) &&
                status < 500,
              place,
            );
          else if (expected === '401')
            assert.deepEqual([status, code], [401, 'unauthenticated'], place);
          else assert.deepEqual([status, code], [403, 'forbidden'], place);
          count += 1;
        }
        const admin = (await tokenOf('admin')) ?? '';
        const [head = '', , signature = ''] = admin.split('.');
        const claims = Buffer.from('{"sub":"first-admin"}').toString('base64url');
        for (const token of [await expiredToken(both), `${head}.${claims}.${signature}`]) {
          const { status, code } = await ask(both.urls[service], row, token);
          const place = `${route} with a wrong token: ${status} ${code ?? ''}`;
          if (row.cells['no token'] === 'yes') assert.ok(![401, 403].includes(status), place);
          // After 20 wrong tokens of one address further ones are refused as a burst.
          else assert.ok(['unauthenticated', 'too_many_wrong_tokens'].includes(code ?? ''), place);
          count += 1;
        }
      }
  }
  t.diagnostic(`${count} requests`);
  assert.ok(count > 300, `${count} requests`);
});
