/**
 * Goal: no enqueued job is left without a batch that publishes it. Method: the real database, whose other users come between two
 * statements of an enqueue.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type BatchRecord, type JobRecord, newJob, type Relay } from '@fit/jobs';
import { Enqueuer } from '../../src/open/enqueuer.ts';
import { JobRefused } from '../../src/open/jobRefused.ts';
import { type TestStore, testStore } from '../support/testStore.ts';

const NEW_JOB = { kind: 'send', key: 'a', payload: {} };

/** @returns an enqueuer, and its store. `before` runs before its first insert of jobs and `after` behind it. */
async function setUp(
  t: TestContext,
  {
    before = () => Promise.resolve(),
    after = () => Promise.resolve(),
    relay,
  }: {
    readonly before?: (store: TestStore) => Promise<void>;
    readonly after?: (store: TestStore) => Promise<void>;
    readonly relay?: Pick<Relay, 'owner' | 'publish'>;
  },
) {
  const store = await testStore(t);
  let insertCount = 0;
  let laterMs = 0;
  const jobs = Object.create(store.jobs) as typeof store.jobs;
  jobs.insert = async (records: readonly JobRecord[]) => {
    insertCount += 1;
    const isFirst = insertCount === 1;
    if (isFirst) await before(store);
    const existingIds = await store.jobs.insert(records);
    if (isFirst) await after(store);
    return existingIds;
  };
  // A bound method of the store would look for the private fields of its own object.
  jobs.findAll = (ids) => store.jobs.findAll(ids);
  jobs.assignBatch = (ids, batch) => store.jobs.assignBatch(ids, batch);
  const clock = Object.create(store.clock) as typeof store.clock;
  clock.now = () => new Date(store.clock.now().getTime() + laterMs);
  const enqueuer = new Enqueuer({
    stores: { jobs, batches: store.batches, clock },
    relay: () => relay as Relay | undefined,
  });
  return {
    store,
    enqueuer,
    /** The insert takes longer than the lease of the batch, by the clock of the process too. */
    passTime: () => {
      laterMs = 100_000;
    },
  };
}

/** Another relay takes every open batch once its lease has ended, finds the jobs that are there, and publishes them. */
async function takeAndPublish(store: TestStore): Promise<void> {
  await store.raw('batches').updateMany({}, { $set: { leaseUntil: new Date(0) } });
  const wanted = { kinds: ['send'], limit: 10, jobLimit: 10_000, now: store.clock.now() };
  const { claimed } = await store.batches.claim('another relay', wanted);
  assert.equal(claimed.length, 1);
  for (const batch of claimed) assert.ok(await store.batches.markPublished(batch));
}

async function expectOpenBatch(store: TestStore, id: string): Promise<BatchRecord> {
  const job = await store.jobs.find(id);
  const batch = await store.batches.find(job?.batch ?? '');
  assert.equal(batch?.state, 'open', JSON.stringify({ job, batch }));
  assert.deepEqual(batch.ids, [id]);
  return batch;
}

test('a batch that another relay took before its jobs were stored is replaced, and a relay may take it at once', async (t) => {
  const { store, enqueuer } = await setUp(t, { before: takeAndPublish });
  const { record, isNew } = await enqueuer.add(NEW_JOB);
  assert.ok(isNew);
  const { leaseUntil } = await expectOpenBatch(store, record._id);
  assert.ok(leaseUntil <= (await store.clock.read()), leaseUntil.toISOString());
});

test('a relay of this process gets the batch that replaces one which another relay took', async (t) => {
  const published: [BatchRecord, readonly JobRecord[]][] = [];
  const opened = await setUp(t, {
    before: async (store) => {
      await takeAndPublish(store);
      opened.passTime();
    },
    relay: { owner: 'own', publish: (batch, jobs) => published.push([batch, jobs]) },
  });
  const { record } = await opened.enqueuer.add(NEW_JOB);
  const batch = await expectOpenBatch(opened.store, record._id);
  const [[given, jobs] = []] = published;
  assert.equal(published.length, 1);
  assert.deepEqual([given?._id, given?.owner], [batch._id, 'own']);
  assert.deepEqual(
    jobs?.map((job) => [job._id, job.batch]),
    [[record._id, batch._id]],
  );
});

test('a delayed batch that another relay took is replaced by one that is due at the same time', async (t) => {
  const opened = await setUp(t, {
    before: async (store) => {
      await takeAndPublish(store);
      opened.passTime();
    },
  });
  const { record } = await opened.enqueuer.add(NEW_JOB, 110_000);
  const { leaseUntil } = await expectOpenBatch(opened.store, record._id);
  const leftMs = leaseUntil.getTime() - record.createdAt.getTime();
  // By the clock of the process ten seconds are left; the known time of the database is wrong by half a round trip.
  assert.ok(leftMs >= 5_000 && leftMs <= 80_000, `${leftMs} ms`);
});

test('while its jobs are stored a batch is leased for longer than the statements take', async (t) => {
  let leftMs = 0;
  const { enqueuer } = await setUp(t, {
    before: async (store) => {
      const batch = await store.raw('batches').findOne({});
      const leaseUntil = batch?.['leaseUntil'] as Date;
      leftMs = leaseUntil.getTime() - (await store.clock.read()).getTime();
    },
  });
  await enqueuer.add(NEW_JOB);
  assert.ok(leftMs > 60_000, `${leftMs} ms`);
});

test('a job that existed and is deleted before it is read is stored as a new one', async (t) => {
  const { store, enqueuer } = await setUp(t, {
    before: async ({ jobs, clock }) => {
      await jobs.insert([newJob(NEW_JOB, { runId: 'run', batch: 'old', now: clock.now() })]);
    },
    after: async (opened) => {
      await opened.raw('jobs').deleteMany({});
    },
  });
  const { record, isNew } = await enqueuer.add(NEW_JOB);
  assert.ok(isNew);
  await expectOpenBatch(store, record._id);
});

test('jobs that were stored beside a refused one wait for no lease', async (t) => {
  const { store, enqueuer } = await setUp(t, {});
  // The statements of an insert have 500 jobs, in the order of their ids: the first is stored, and the second is refused.
  const keys = Array.from({ length: 501 }, (_, index) => String(index).padStart(3, '0'));
  const enqueued = await Promise.allSettled(
    keys.map((key) =>
      enqueuer.add({ ...NEW_JOB, key, payload: key === '500' ? { 'a\0b': 1 } : {} }),
    ),
  );
  const refused = enqueued.flatMap((one) =>
    one.status === 'rejected' ? [one.reason as unknown] : [],
  );
  assert.equal(refused.length, 1);
  assert.ok(refused[0] instanceof JobRefused);
  assert.equal(refused[0].code, 'REFUSED_BY_DATABASE');
  const jobs = await store.raw('jobs').find().toArray();
  assert.equal(jobs.length, 500);
  const wanted = { kinds: ['send'], limit: 100, jobLimit: 10_000, now: store.clock.now() };
  const { claimed } = await store.batches.claim('a relay', wanted);
  const listed = new Set(claimed.flatMap(({ ids }) => ids));
  assert.deepEqual(
    jobs.filter(({ _id }) => !listed.has(_id)).map(({ _id }) => _id),
    [],
  );
});
