/** Goal and method as in `jobs/test/store/jobQueries.test.ts`, for the stores of the monolith. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErasureStore, IdempotencyStore, SettingsStore } from '@fit/service';
import { checkStatements, watchStatements } from '../../../jobs/test/support/queryPlans.ts';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { CallerStore } from '../../../service/src/access/store/callerStore.ts';
import { TokenKeyStore } from '../../../service/src/access/store/tokenKeyStore.ts';
import { AccountStore } from '../../src/accounts/store/accountStore.ts';
import { SessionStore } from '../../src/accounts/store/sessionStore.ts';
import { SignInLimits } from '../../src/accounts/store/signInLimits.ts';
import { AuditStore } from '../../src/audit/store/auditStore.ts';
import { mergeCounts } from '../../src/failures/failure.ts';
import { FailureStore } from '../../src/failures/store/failureStore.ts';
import { NO_OUTCOMES } from '../../src/operations/operation.ts';
import { OperationStore } from '../../src/operations/store/operationStore.ts';
import { DailyRunStore } from '../../src/store/dailyRunStore.ts';
import { UserStore } from '../../src/store/userStore.ts';
import { WodRunStore } from '../../src/store/wodRunStore.ts';

const COLLECTIONS = [
  'users',
  'wods',
  'dailyRun',
  'runs',
  'accounts',
  'sessions',
  'signInLimits',
  'tokenKeys',
  'idempotencyKeys',
  'audit',
  'failures',
  'failureTotals',
  'operations',
  'operationParts',
  'settings',
  'erasures',
];
const COUNT = 5_000;
const ENTRY_FILTER = {
  account: '~1',
  action: 'user.create',
  target: ['user', '~2'],
} as const;

test('every statement of the monolith’s stores is in docs/queries.md and reads by an index', async (t) => {
  const { opened: store, statements } = await watchStatements(() => testStore(t));
  const users = new UserStore(store.database);
  const dailyRun = new DailyRunStore(store.database);
  await store
    .raw('users')
    .insertMany(
      Array.from({ length: COUNT }, (_, index) => ({ _id: `user-${index}`, level: 'rx' })),
    );
  await store
    .raw('wods')
    .insertMany(Array.from({ length: COUNT }, (_, index) => ({ _id: `user-${index}:2026-01-01` })));
  const wodRuns = new WodRunStore(store.database);
  await wodRuns.ensureIndexes();
  const idempotency = new IdempotencyStore(store.database);
  await idempotency.ensureIndexes();
  const record = { _id: 'key', requestHash: 'hash', owner: 'one', createdAt: new Date(0) };
  const later = { ...record, owner: 'two', createdAt: new Date(100_000) };
  await store.raw('runs').insertMany(
    Array.from({ length: COUNT }, (_, index) => ({
      _id: `run-${index}`,
      request: {
        date: new Date(index * 86_400_000).toISOString().slice(0, 10),
        isForEveryone: index % 10 === 0,
      },
      createdAt: new Date(index * 86_400_000),
    })),
  );
  const accounts = new AccountStore(store.database);
  const sessions = new SessionStore(store.database);
  const limits = new SignInLimits(store.database);
  const audit = new AuditStore(store.database);
  for (const each of [users, accounts, sessions, limits, audit]) await each.ensureIndexes();
  await store.raw('accounts').insertMany(
    Array.from({ length: COUNT }, (_, index) => ({
      _id: `account-${index}`,
      login: `user-${index}@example.org`,
      pseudonym: `~${index}`,
    })),
  );
  await store
    .raw('sessions')
    .insertMany(Array.from({ length: COUNT }, (_, index) => ({ _id: `session-${index}` })));
  await store
    .raw('signInLimits')
    .insertMany(Array.from({ length: COUNT }, (_, index) => ({ _id: `limit-${index}` })));
  const operations = new OperationStore(store.database);
  await operations.ensureIndexes();
  await store.raw('operations').insertMany(
    Array.from({ length: COUNT }, (_, index) => ({
      _id: `replay-${index}`,
      isActive: index % 500 === 0,
      createdAt: new Date(index * 60_000),
    })),
  );
  await store.raw('operationParts').insertMany(
    Array.from({ length: COUNT }, (_, index) => ({
      _id: `replay-${index}:000000`,
      at: new Date(index * 60_000),
    })),
  );
  const failures = new FailureStore(store.database);
  await store
    .raw('failures')
    .insertMany(Array.from({ length: COUNT }, (_, index) => ({ _id: `f-${index}` })));
  const counts = mergeCounts(undefined, undefined, new Date());
  const operation = { _id: 'replay-1', nextPart: 1, settledParts: 0 };
  const request = {
    selection: '{}',
    filter: {},
    diedUntil: new Date(),
    matched: 1,
    reason: 'a test',
  };
  const callers = new CallerStore(store.database);
  const settings = new SettingsStore(store.database);
  const tokenKeys = new TokenKeyStore(store.database);
  const account = {
    _id: 'new',
    login: 'new@example.org',
    name: 'New',
    role: 'member',
    pseudonym: '~new',
    isDisabled: false,
    stamp: 'stamp',
    createdAt: new Date(),
  } as const;
  const entry = {
    at: new Date(),
    action: 'user.create',
    account: '~1',
    role: 'admin',
    target: { user: '~2' },
    requestId: 'request',
    outcome: 'begun',
  } as const;
  await store.raw('audit').insertMany(
    Array.from({ length: COUNT }, (_, index) => ({
      ...entry,
      _id: index.toString(16).padStart(20, '0'),
    })),
  );
  const session = { _id: 'new', accountId: 'new', stamp: 'stamp', expiresAt: new Date() };
  const key = { kid: 'kid', x: 'x', d: 'd', createdAt: new Date() };
  const erasures = await ErasureStore.open(store.database);
  await erasures.ensureIndexes();
  await store.raw('erasures').insertMany(
    Array.from({ length: COUNT }, (_, index) => ({
      _id: `erasure-${index}`,
      requestedAt: new Date(index * 1_000),
    })),
  );
  statements.length = 0;
  const job = { id: 'job', userId: 'user-1', date: '2026-01-01' };
  const calls: Record<string, () => Promise<unknown>> = {
    'UserStore.create': () => users.create([{ level: 'rx', equipment: [] }], new Date()),
    'UserStore.find': () => users.find('nobody'),
    'UserStore.pseudonymOf': () => users.pseudonymOf('user-1'),
    'UserStore.findByPseudonyms': () => users.findByPseudonyms(['~1', '~2']),
    'UserStore.change': () => users.change('user-1', { level: 'rx', name: null }),
    'UserStore.wodsBetween': () =>
      users.wodsBetween('user-1', { from: '2026-01-01', to: '2026-02-01', limit: 100 }),
    'UserStore.perform': () =>
      users.perform('user-1:2026-01-01', { result: { score: 1 }, at: new Date() }),
    'UserStore.delete': () => users.delete('nobody'),
    'UserStore.findWod': () => users.findWod('nobody', '2026-01-01'),
    'UserStore.findStoredWods': () => users.findStoredWods([job]),
    'UserStore.deleteWods': () => users.deleteWods(['nobody']),
    'UserStore.list': () => users.list('user-1', 100),
    'UserStore.findAll': () => users.findAll(['user-1', 'user-2']),
    'UserStore.count': () => users.count(),
    'DailyRunStore.setDeadline': () => dailyRun.setDeadline(new Date()),
    'DailyRunStore.deadline': () => dailyRun.deadline(),
    'IdempotencyStore.begin': async () => {
      await idempotency.begin(record);
      await idempotency.begin(later);
    },
    'IdempotencyStore.complete': () =>
      idempotency.complete('key', 'two', { status: 201, body: '{}' }),
    'IdempotencyStore.abandon': () => idempotency.abandon('key', 'one'),
    'AccountStore.create': () => accounts.create(account),
    'AccountStore.find': () => accounts.find('new'),
    'AccountStore.findByLogin': () => accounts.findByLogin('user-7@example.org'),
    'AccountStore.ofUser': () => accounts.ofUser('user-7'),
    'AccountStore.delete': () => accounts.delete('nobody'),
    'AccountStore.findByPseudonyms': () => accounts.findByPseudonyms(['~1', '~2']),
    'AccountStore.list': () => accounts.list('account-1', 100),
    'AccountStore.change': () => accounts.change('new', { role: 'viewer' }),
    'AccountStore.hasEnabledAdmin': () => accounts.hasEnabledAdmin(),
    'AccountStore.takeBack': () => accounts.takeBack(account, account),
    'AccountStore.revoke': () => accounts.revoke('new', { id: 'x', until: new Date() }, new Date()),
    'AccountStore.markProfileStored': () => accounts.markProfileStored('new'),
    'AccountStore.replaceSecrets': () => accounts.replaceSecrets('new', [], []),
    'SessionStore.create': () => sessions.create(session),
    'SessionStore.deleteOfAccount': () => sessions.deleteOfAccount('account-7'),
    'SessionStore.delete': () => sessions.delete('new'),
    'SignInLimits.beginLogIn': () => limits.beginLogIn('new@example.org', '::1'),
    'SignInLimits.logInSucceeded': () => limits.logInSucceeded('new@example.org', '::1'),
    'SignInLimits.countWrongSecret': () => limits.countWrongSecret('service', '::1'),
    'SignInLimits.beginRegistration': () => limits.beginRegistration('::1'),
    'CallerStore.findAccount': () => callers.findAccount('new'),
    'CallerStore.findSession': () => callers.findSession('new'),
    'TokenKeyStore.read': () => tokenKeys.read(),
    'TokenKeyStore.ensure': () => tokenKeys.ensure(key),
    'TokenKeyStore.replace': () => tokenKeys.replace('kid', [key]),
    'ErasureStore.idOf': () => Promise.resolve(erasures.idOf('gone')),
    'ErasureStore.begin': () => erasures.begin('gone', new Date()),
    'ErasureStore.find': () => erasures.find('gone'),
    'ErasureStore.erasedAmong': () => erasures.erasedAmong(['gone', 'user-1']),
    'ErasureStore.due': () => erasures.due(new Date(), 5),
    'ErasureStore.postpone': () => erasures.postpone(erasures.idOf('gone'), new Date()),
    'ErasureStore.complete': () => erasures.complete(erasures.idOf('gone'), new Date()),
    'ErasureStore.since': () => erasures.since(new Date((COUNT - 10) * 1_000)),
    'AuditStore.insert': () => audit.insert({ ...entry, _id: '0' }),
    'AuditStore.complete': () => audit.complete('0', { outcome: 'done' }),
    'AuditStore.list': async () => {
      await audit.list({ limit: 100 });
      await audit.list({ ...ENTRY_FILTER, limit: 100 });
    },
    'FailureStore.all': () => failures.all(),
    'FailureStore.find': () => failures.find('f-1'),
    'FailureStore.totals': () => failures.totals(),
    'FailureStore.insert': () =>
      failures.insert([
        { _id: 'new', ...counts, asOf: new Date(), state: 'open', stateAt: new Date() },
      ]),
    'FailureStore.count': () => failures.count('new', counts, new Date()),
    'FailureStore.setTotals': () =>
      failures.setTotals({ asOf: new Date(), total: 0, isExact: true }),
    'FailureStore.setState': () => failures.setState('new', 'ignored'),
    'FailureStore.delete': () => failures.delete(['new'], new Date()),
    'OperationStore.create': () =>
      operations.create('new', request, [{ id: 'x', reason: 'is done' }], new Date()),
    'OperationStore.find': () => operations.find('new'),
    'OperationStore.newest': () => operations.newest(new Date(30_000_000), 100),
    'OperationStore.active': () => operations.active(),
    'OperationStore.changeState': () => operations.changeState('new', ['running'], 'paused'),
    'OperationStore.take': () => operations.take(operation, [], 1_000),
    'OperationStore.finishPart': () =>
      operations.finishPart(
        'new',
        { number: 1, jobs: [] },
        { replayedIds: [], skipped: [] },
        new Date(),
      ),
    'OperationStore.parts': () => operations.parts('replay-1', 0, 100),
    'OperationStore.settlePart': () => operations.settlePart({ _id: 'replay-1:000000' }, []),
    'OperationStore.countSettled': () => operations.countSettled(operation, 1, NO_OUTCOMES),
    'OperationStore.retire': () => operations.retire(operation),
    'SettingsStore.read': () => settings.read(),
    'SettingsStore.change': () =>
      settings.change(0, { FIT_RELAY_SECONDS: 9 }, { by: 'ann', reason: 'demo' }),
    'SettingsStore.pause': () => settings.pause('queue', { by: 'ann', reason: 'repair' }),
    'SettingsStore.resume': () => settings.resume('queue'),
    'WodRunStore.ofDay': () => wodRuns.ofDay('1975-01-01', 50),
  };
  const methods = [
    users,
    dailyRun,
    wodRuns,
    accounts,
    sessions,
    limits,
    callers,
    tokenKeys,
    settings,
    idempotency,
    audit,
    operations,
    failures,
    erasures,
  ].flatMap((of) => {
    const prototype = Object.getPrototypeOf(of) as { constructor: { name: string } };
    return Object.getOwnPropertyNames(prototype)
      .filter((name) => name !== 'constructor' && name !== 'ensureIndexes')
      .map((name) => `${prototype.constructor.name}.${name}`);
  });
  assert.deepEqual(Object.keys(calls).sort(), methods.sort(), 'each method is called');
  for (const call of Object.values(calls)) await call();
  await checkStatements(store.db, statements, { collections: COLLECTIONS, isComplete: false });
});
