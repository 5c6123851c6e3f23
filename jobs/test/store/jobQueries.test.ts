/**
 * Goal: no statement of the job stores reads a whole collection, and `docs/queries.md` lists every one. Method: every method
 * of every store is called on a database with enough documents, and the database explains the statements that were sent.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JobRecord, type JobState, newJob, pageBatchId } from '@fit/jobs';
import { ResultStore, requireSchema } from '@fit/jobs/store';
import { loadMessageSigner } from '../../src/store/messageKey.ts';
import { requireExistingSchema } from '../../src/store/schemaVersion.ts';
import { workerStatus } from '../support/fakes.ts';
import { checkStatements, watchStatements } from '../support/queryPlans.ts';
import { type TestStore, testStore } from '../support/testStore.ts';

const COLLECTIONS = [
  'jobs',
  'batches',
  'runs',
  'workers',
  'deadLetters',
  'leases',
  'clock',
  'keys',
  'schema',
  'results',
  'cancellations',
];
const RUN = 'run-00000';
const PAGES = 30;
const PAGE_JOBS = 1_000;
const DAY_MS = 86_400_000;

const userOf = (page: number, index: number) =>
  `user-${String(page).padStart(3, '0')}-${String(index).padStart(4, '0')}`;
const batchOf = (page: number) => pageBatchId(RUN, page === 0 ? '' : userOf(page, 0));

/** The state of the n-th job: most are done, as on any day. */
function stateOf(number: number): JobState {
  if (number % 500 === 1) return 'dead';
  if (number % 500 === 2) return 'waiting';
  if (number % 500 === 3) return 'running';
  return number >= (PAGES - 2) * PAGE_JOBS ? 'pending' : 'done';
}

/** 30,000 jobs of one run, 3,000 batches of old runs, 2,000 runs of two years, 3,000 dead letters. */
async function fill(store: TestStore): Promise<void> {
  const now = store.clock.now();
  const raw = (name: string) => store.raw(name);
  for (let page = 0; page < PAGES; page += 1) {
    const jobs = Array.from({ length: PAGE_JOBS }, (_, index): JobRecord => {
      const request = {
        kind: 'trivial',
        key: `${userOf(page, index)}:2026-01-01`,
        payload: {},
      };
      const state = stateOf(page * PAGE_JOBS + index);
      const death = { cause: 'exhausted' as const, fingerprint: 'f', reason: 'r', at: now };
      return {
        ...newJob(request, { runId: RUN, batch: batchOf(page), now }),
        state,
        ...(state === 'dead' ? { death } : {}),
      };
    });
    await store.jobs.insert(jobs);
    await raw('batches').insertOne({
      _id: batchOf(page),
      runId: RUN,
      page,
      kind: 'trivial',
      ids: jobs.map(({ _id }) => _id),
      state: page < PAGES - 2 ? 'ended' : 'published',
      createdAt: now,
      publishedAt: now,
      owner: '',
      leaseUntil: now,
      fence: 1,
    });
  }
  const past = (index: number) => new Date(now.getTime() - (index * 730 * DAY_MS) / 2_000);
  await raw('batches').insertMany(
    Array.from({ length: 3_000 }, (_, index) => ({
      _id: pageBatchId(`old-${index}`, ''),
      runId: `old-${index}`,
      page: 0,
      kind: 'trivial',
      ids: [],
      state: 'cleared',
      createdAt: past(index),
      publishedAt: new Date(now.getTime() - (index * 300 * DAY_MS) / 3_000),
      owner: '',
      leaseUntil: now,
      fence: 1,
    })),
  );
  await raw('runs').insertMany(
    Array.from({ length: 2_000 }, (_, index) => ({
      _id: `run-${String(index).padStart(5, '0')}`,
      createdAt: past(index),
      finishedAt: past(index),
      isActive: index < 3,
      ends: { done: 0, dead: 0, cancelled: 0, causes: {} },
      skippedEnds: { done: 0, dead: 0, cancelled: 0, causes: {} },
      leaseUntil: new Date(0),
      fence: 1,
    })),
  );
  await raw('deadLetters').insertMany(
    Array.from({ length: 3_000 }, (_, index) => ({
      _id: `letter-${index}`,
      lastSeenAt: past(index),
    })),
  );
}

/** A call of every method of every store, by class and method; the order does not matter. */
function callsOf(store: TestStore): Record<string, () => Promise<unknown>> {
  const { jobs, dead, runs, batches, workers, deadLetters, leases, clock, database } = store;
  const { cancellations } = store;
  const results = new ResultStore(database);
  const now = clock.now();
  const ids = [userOf(3, 1), userOf(3, 2)].map((userId) => `trivial:${userId}:2026-01-01`);
  const batch = { _id: batchOf(3), ids };
  const held = { _id: batchOf(3), fence: 1 };
  const heldRun = { _id: RUN, fence: 1 };
  const attempt = {
    number: 1,
    generation: 1,
    startedAt: now,
    endedAt: now,
    outcome: 'retry' as const,
    workerId: 'w',
  };
  const change = { id: ids[0] ?? '', generation: 1, attempt };
  const run = {
    _id: RUN,
    ends: { done: 0, dead: 0, cancelled: 0, causes: {} },
    expanded: 1,
  } as never;
  const none = { done: 0, dead: 0, cancelled: 0, causes: {} };
  const counts = {
    recordedPages: 1,
    expanded: 1,
    created: 1,
    skipped: 0,
    refused: 0,
    ends: none,
    skippedEnds: none,
  };
  const letter = {
    id: 'letter-1',
    cause: 'malformed' as const,
    reason: '',
    messageId: undefined,
    routingKey: '',
    body: Buffer.alloc(0),
    bodyBytes: 0,
    headers: '',
  };
  const request = { request: {}, requestHash: '' };
  const stored = { nextPage: 1, cursor: '', pageCount: 1 };
  const newBatch = { _id: 'new:', runId: 'new', kind: 'trivial', ids, createdAt: now, owner: '' };
  const yearAgo = new Date(now.getTime() - 365 * DAY_MS);
  return {
    'JobStore.insert': () =>
      jobs.insert([
        newJob({ kind: 'trivial', key: 'new', payload: {} }, { runId: 'new', batch: 'new:', now }),
      ]),
    'JobStore.finish': () => jobs.finish({ ids, attemptCount: 1, workerId: 'w' }),
    'JobStore.finishEach': () => jobs.finishEach([change]),
    'JobStore.change': async () => {
      for (const payload of [undefined, {}])
        for (const transition of ['run', 'wait', 'markDead', 'cancel'] as const)
          await jobs.change(transition, [payload === undefined ? change : { ...change, payload }]);
    },
    'JobStore.renewRunning': () => jobs.renewRunning(ids),
    'JobStore.pendingOf': () => jobs.pendingOf([batch]),
    'JobStore.silent': () => jobs.silent('trivial', now, 1_000),
    'JobStore.hasUnsettled': () => jobs.hasUnsettled(RUN),
    'JobStore.moveToBatch': () => jobs.moveToBatch(ids, 'repair:0', now),
    'JobStore.assignBatch': () => jobs.assignBatch(ids, 'rest'),
    'JobStore.findAll': () => jobs.findAll(ids),
    'JobStore.findComparedFields': () => jobs.findComparedFields(ids),
    'JobStore.findCancelled': () => jobs.findCancelled(ids),
    'JobStore.cancelPending': () => jobs.cancelPending(ids[0] ?? ''),
    'JobStore.cancelAllPending': () => jobs.cancelAllPending(ids, RUN),
    'JobStore.takeOver': () => jobs.takeOver(ids, { runId: 'new', batch: 'new:' }),
    'JobStore.search': async () => {
      const all = { from: 'trivial:', above: undefined, below: 'trivial;', limit: 100 };
      await jobs.search({ ...all, isDescending: false });
      await jobs.search({ ...all, isDescending: true });
      await jobs.search({ ...all, above: ids[0], isDescending: false });
      const created = { createdSince: new Date(0), createdUntil: now };
      for (const state of ['dead', 'done'] as const) {
        const filter = { state, reasonPattern: 'r', ...created };
        await jobs.search({ ...all, ...filter, isDescending: false });
      }
    },
    'JobStore.find': () => jobs.find(ids[0] ?? ''),
    'JobStore.list': async () => {
      for (const state of [undefined, 'dead', 'done'] as const)
        for (const after of [undefined, ids[0] ?? ''])
          await jobs.list({
            ...(state === undefined ? {} : { where: { state } }),
            ...(after === undefined ? {} : { after }),
            limit: 50,
            readLimit: after === undefined ? 100 : 50_000,
          });
      const last = `trivial:${userOf(PAGES - 1, PAGE_JOBS - 10)}`;
      await jobs.list({ where: { state: 'done' }, after: last, limit: 50 });
      const range = { from: `trivial:${userOf(3, 1)}`, below: `trivial:${userOf(3, 2)}` };
      await jobs.list({ user: { id: 'ann', ranges: [range] }, limit: 50 });
    },
    'JobStore.findMatching': () => jobs.findMatching(ids, { state: 'dead' }, 50),
    'JobStore.countAmong': () => jobs.countAmong(ids),
    'JobStore.countIndexed': async () => {
      await jobs.countIndexed(RUN);
      await jobs.countIndexed();
    },
    'JobStore.oldestEligible': () => jobs.oldestEligible(),
    'JobStore.estimatedCount': () => jobs.estimatedCount(),
    'JobStore.runIdsAmong': () => jobs.runIdsAmong(ids),
    'JobStore.existing': () => jobs.existing(ids, RUN),
    'JobStore.findReplays': () => jobs.findReplays(ids),
    'JobStore.findUrgent': () => jobs.findUrgent(ids),
    'JobStore.deleteEnded': () => jobs.deleteEnded(ids, RUN),
    'DeadJobStore.groups': () => dead.groups({}),
    'DeadJobStore.countByGroup': () => dead.countByGroup(now, { jobLimit: 1_000, rowLimit: 100 }),
    'DeadJobStore.count': async () => {
      await dead.count({});
      await dead.count({}, now);
    },
    'DeadJobStore.next': async () => {
      await dead.next({}, now, 500);
      await dead.next({ keyPattern: 'u:2026-01-01', cause: 'fatal' }, now, 500);
      const created = { createdSince: new Date(0), createdUntil: now };
      await dead.next({ kind: 'trivial', reasonPattern: 'r', ...created }, now, 500);
      await dead.next({ fingerprint: 'f' }, now, 500);
      await dead.next({ runId: RUN }, now, 500);
    },
    'DeadJobStore.nextWithPayload': () => dead.nextWithPayload({ ids }, now, 500),
    'DeadJobStore.makePending': () =>
      dead.makePending(ids, { operationId: 'replay', batch: 'replay:0', diedUntil: now }),
    'DeadJobStore.replayedAmong': () => dead.replayedAmong(ids, 'replay', now),
    'DeadJobStore.skippedAmong': () => dead.skippedAmong(ids, now),
    'RunStore.insertIfAbsent': () => runs.insertIfAbsent({ _id: 'new', ...request }, ''),
    'RunStore.find': () => runs.find(RUN),
    'RunStore.findSmall': () => runs.findSmall([RUN]),
    'RunStore.newest': () => runs.newest(50),
    'RunStore.active': () => runs.active(),
    'RunStore.claim': () => runs.claim('owner'),
    'RunStore.renew': () => runs.renew(heldRun),
    'RunStore.release': () => runs.release(heldRun),
    'RunStore.cancel': () => runs.cancel('nobody'),
    'RunStore.endExpansion': () => runs.endExpansion(heldRun, 1),
    'RunStore.setTotal': () => runs.setTotal(RUN, 1),
    'RunStore.recordPage': () =>
      runs.recordPage(RUN, { stored, created: 0, skipped: 0, refused: 0 }),
    'RunStore.movePosition': () => runs.movePosition(heldRun, stored),
    'RunStore.addEnds': () => runs.addEnds(RUN, { ...none, done: 1 }),
    'RunStore.requestRecount': () => runs.requestRecount(RUN),
    'RunStore.setSkippedEnds': () => runs.setSkippedEnds(RUN, none),
    'RunStore.setCounts': () => runs.setCounts(run, counts, true),
    'RunStore.finish': () => runs.finish(run),
    'RunStore.reopen': () => runs.reopen(RUN),
    'RunStore.finishedBefore': () => runs.finishedBefore(yearAgo, new Date(0), 20),
    'RunStore.delete': () => runs.delete('nobody'),
    'BatchStore.insert': () => batches.insert(newBatch, now),
    'BatchStore.find': () => batches.find(batchOf(1)),
    'BatchStore.findStates': () => batches.findStates([batchOf(1)]),
    'BatchStore.findAll': () => batches.findAll([batchOf(1)]),
    'BatchStore.claim': async () => {
      for (const isUrgent of [false, true]) {
        const wanted = { kinds: ['trivial'], isUrgent, limit: 3, jobLimit: 3_000, now };
        await batches.claim('owner', wanted);
      }
    },
    'BatchStore.renew': () => batches.renew(held),
    'BatchStore.markPublished': () => batches.markPublished(held),
    'BatchStore.release': () => batches.release(held, 0),
    'BatchStore.takeBack': () => batches.takeBack(batchOf(3)),
    'BatchStore.narrow': () => batches.narrow(held, ids),
    'BatchStore.markEnded': () => batches.markEnded([batchOf(1)]),
    'BatchStore.published': () => batches.published('trivial', 50_000),
    'BatchStore.countOpen': () => batches.countOpen(),
    'BatchStore.pageIds': async () => {
      await batches.pageIds(RUN, undefined, 2_000);
      await batches.pageIds(RUN, batchOf(1), 2_000);
    },
    'BatchStore.hasAny': () => batches.hasAny(RUN, ['open', 'published']),
    'BatchStore.markCounted': () => batches.markCounted(batchOf(1)),
    'BatchStore.publishedBefore': async () => {
      const before = new Date(now.getTime() - 290 * DAY_MS);
      for (const kinds of [{ except: [] }, { only: ['trivial'] }, { except: ['trivial'] }])
        for (const exceptRunIds of [[], [RUN]]) {
          const wanted = { kinds, exceptRunIds, jobLimit: 20_000 };
          await batches.publishedBefore('cleared', before, wanted);
        }
    },
    'BatchStore.markCleared': () => batches.markCleared([batchOf(1)]),
    'BatchStore.pageOf': async () => {
      await batches.pageOf(RUN, '');
      await batches.pageOf(RUN, userOf(3, 1));
    },
    'BatchStore.pageAfter': () => batches.pageAfter({ _id: batchOf(1), runId: RUN }),
    'BatchStore.delete': () => batches.delete(['nobody']),
    'WorkerStore.beat': () => workers.beat('w', workerStatus('trivial'), []),
    'WorkerStore.remove': () => workers.remove('nobody'),
    'WorkerStore.alive': () => workers.alive(now),
    'WorkerStore.list': () => workers.list('', 100),
    'WorkerStore.drain': () => workers.drain('w', { by: 'ann', reason: 'slow' }, now),
    'WorkerStore.resume': () => workers.resume('w', now),
    'DeadLetterStore.store': () => deadLetters.store([letter], now),
    'LeaseStore.hold': () => leases.hold('task', 'owner', 1_000),
    'LeaseStore.release': () => leases.release('task', 'owner'),
    'CancellationStore.note': () => cancellations.note(),
    'CancellationStore.latest': () => cancellations.latest(),
    'DatabaseClock.read': () => clock.read(),
    'ResultStore.storeAll': () => results.storeAll([{ _id: 'new', result: 1 }]),
    'ResultStore.findStored': () => results.findStored(ids),
    'ResultStore.findAll': () => results.findAll(ids),
    'ResultStore.delete': () => results.delete(['nobody']),
  };
}

/** Methods that send no statement of their own. */
const WITHOUT_STATEMENTS = new Set([
  ...[
    'DatabaseClock.start',
    'DatabaseClock.stop',
    'DatabaseClock.now',
    'DatabaseClock.fromProcessTime',
  ],
]);

function methodsOf(opened: TestStore) {
  const { jobs, dead, runs, batches, workers, deadLetters, leases, clock, database } = opened;
  const { cancellations } = opened;
  const results = new ResultStore(database);
  return [
    jobs,
    dead,
    runs,
    batches,
    workers,
    deadLetters,
    leases,
    cancellations,
    clock,
    results,
  ].flatMap((store) => {
    const prototype = Object.getPrototypeOf(store) as { constructor: { name: string } };
    return Object.getOwnPropertyNames(prototype)
      .filter((name) => name !== 'constructor' && name !== 'ensureIndexes')
      .map((name) => `${prototype.constructor.name}.${name}`)
      .filter((name) => !WITHOUT_STATEMENTS.has(name));
  });
}

test('every statement of the job stores is in docs/queries.md and reads by an index', async (t) => {
  const { opened: store, statements } = await watchStatements(() => testStore(t));
  await fill(store);
  statements.length = 0;
  const calls = callsOf(store);
  assert.deepEqual(Object.keys(calls).sort(), methodsOf(store).sort(), 'each method is called');
  for (const [name, call] of Object.entries(calls)) {
    const before = statements.length;
    await call();
    assert.ok(statements.length > before, `${name} sent nothing`);
  }
  await loadMessageSigner(store.database);
  await store.raw('schema').deleteMany({});
  await requireSchema(
    store.database.withLimits({ statementMs: 5_000, budgetMs: 0, tryCount: 1 }),
  ).catch(() => undefined);
  await requireExistingSchema(store.database).catch(() => undefined);
  await checkStatements(store.db, statements, {
    collections: COLLECTIONS,
    isComplete: true,
    // What a run asks for is known to the owner of its source alone.
    elsewhere: ['request.'],
  });
});
