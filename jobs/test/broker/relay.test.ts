/** Goal: every job of a run reaches the broker once, and no job is lost. Method: full, purged and unknown queues, relays that die. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endsOf, isExpanded, newJob, pageBatchId, Reconciler } from '@fit/jobs';
import { StatementRefused } from '@fit/jobs/store';
import { eventually } from '@fit/stack/testing';
import { declareTopology, PublishError } from '@fit/topology';
import { restBatchId } from '../../src/record/batch.ts';
import type { RelayPublisher } from '../../src/relay/jobPublisher.ts';
import { pendingJob, requestedJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';

const SMALL = declareTopology({
  exchange: 'jobs',
  kinds: {
    trivial: { key: 'job.trivial', queue: 'trivial', tiers: [50, 100, 150], maxLength: 20 },
  },
});
const PRIORITIES = declareTopology({
  exchange: 'jobs',
  kinds: {
    trivial: { key: 'job.trivial', queue: 'trivial', tiers: [50], priorities: ['normal', 'high'] },
  },
});
/** Without workers the relay would keep the queue at its first target, so it is told that the queue is empty. */
const EMPTY = { readyCount: () => Promise.resolve(0) };
const jobsOf = (count: number) => Array.from({ length: count }, () => requestedJob());

test('a run is expanded page by page, published from memory, and counted', async (t) => {
  const pipeline = await JobPipeline.open(t);
  await pipeline.relay(EMPTY);
  const jobs = jobsOf(2_500);
  const { _id } = await pipeline.startRun(jobs);
  const run = await pipeline.expectRun(_id, isExpanded);
  assert.deepEqual(
    [run.expanded, run.created, run.skipped, run.refused, run.pageCount, run.total],
    [2_500, 2_500, 0, 0, 3, 2_500],
  );
  const batches = await pipeline.expectBatches(_id, ({ state }) => state === 'published');
  assert.deepEqual(batches.map(({ ids }) => ids.length).sort(), [1_000, 1_000, 500]);
  assert.deepEqual(await pipeline.statesOf(jobs), { pending: 2_500 });
  assert.equal(await pipeline.readyCount('trivial'), 2_500);
});

test('the relay keeps at most half of the limit in the queue, and goes on while workers consume', async (t) => {
  const pipeline = await JobPipeline.open(t, SMALL);
  const depths: number[] = [];
  await pipeline.relay({
    readyCount: async (queue) => {
      const depth = await pipeline.readyCount(queue);
      depths.push(depth);
      return depth;
    },
  });
  const jobs = jobsOf(200);
  const { _id } = await pipeline.startRun(jobs);
  await eventually(() => depths.length > 5 && depths.at(-1) === 10, {
    describe: () => JSON.stringify(depths),
  });
  assert.equal((await pipeline.store.runs.find(_id))?.expanded, 0, 'the page is not confirmed yet');
  await pipeline.worker();
  await pipeline.expectRun(_id, isExpanded);
  await eventually(async () => (await pipeline.statesOf(jobs))['done'] === 200, {
    describe: async () => JSON.stringify(await pipeline.statesOf(jobs)),
  });
  assert.equal(Math.max(...depths) <= 10, true, `the depths were ${depths.join()}`);
  assert.deepEqual(
    pipeline.eventsOf('published').filter(({ result }) => result !== 'confirmed'),
    [],
  );
});

test('messages that a full queue refuses get a batch of their own, and are done later', async (t) => {
  const pipeline = await JobPipeline.open(t, SMALL);
  // The relay is told that the queue is empty, so it publishes more than the queue takes.
  const relay = await pipeline.relay(EMPTY);
  const jobs = Array.from({ length: 60 }, () => pendingJob());
  const id = await pipeline.storeBatch(jobs);
  relay.wake();
  const refused = await eventually(
    async () =>
      (await pipeline.store.batchesOf(id)).find(
        ({ deferred }) => deferred?.reason === 'nacked' && deferred.count > 1,
      ),
    { describe: () => JSON.stringify(pipeline.events) },
  );
  assert.equal(refused.state, 'open');
  await pipeline.worker();
  for (const job of jobs) await pipeline.expectState(job, 'done');
  assert.equal(new Set(pipeline.effects).size, 60);
});

test('an urgent batch of another process passes batches of its kind that wait for room', async (t) => {
  const pipeline = await JobPipeline.open(t, PRIORITIES);
  // The relay is told that the queue is full.
  const relay = await pipeline.relay({ readyCount: () => Promise.resolve(1_000_000) });
  // More than a relay publishes at a time, so that some of them are claimed and not begun.
  const waiting: string[] = [];
  for (let count = 0; count < 5; count += 1)
    waiting.push(await pipeline.storeBatch([pendingJob()]));
  relay.wake();
  for (const id of waiting) await pipeline.expectBatches(id, ({ owner }) => owner === relay.owner);
  const urgent = await pipeline.storeBatch([{ ...pendingJob(), isUrgent: true }]);
  await pipeline.expectBatches(urgent, ({ state }) => state === 'published');
  for (const id of waiting) await pipeline.expectBatches(id, ({ state }) => state === 'open');
  assert.equal(await pipeline.readyCount('trivial'), 1);
});

test('a batch whose refused messages another relay took too early is published again as a whole', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const jobs = Array.from({ length: 10 }, () => pendingJob());
  const ids = jobs.map(({ _id }) => _id).sort();
  const refused = new Set(ids.slice(5));
  const published: string[] = [];
  const publisher = {
    isReady: true,
    send: (...[, , { id = '' }, onEnd]: Parameters<RelayPublisher['send']>) => {
      published.push(id);
      const isRefused = refused.delete(id);
      onEnd(
        isRefused ? new PublishError('QUEUE_FULL', 'full', { id, type: 'job.trivial' }) : undefined,
      );
    },
  };
  // Another relay had taken the batch of the refused messages before any job named it, and found nothing to publish.
  const operation = await pipeline.storeBatch(jobs);
  const rest = {
    _id: restBatchId({ _id: `${operation}:0`, fence: 2 }),
    runId: operation,
    kind: 'trivial',
    ids: ids.slice(5),
    createdAt: new Date(),
    owner: 'another relay',
  };
  const taken = await pipeline.store.batches.insert(rest, new Date(0));
  assert.ok(taken !== undefined && (await pipeline.store.batches.markPublished(taken)));
  await pipeline.relay({ ...EMPTY, publisher });
  await pipeline.expectBatches(operation, ({ state }) => state === 'published');
  assert.deepEqual(published.slice(10).sort(), ids);
  assert.equal((await pipeline.store.batches.find(`${operation}:0`))?.fence, 3);
});

test('a relay that cannot learn the depth publishes nothing, and one whose publisher is closed neither', async (t) => {
  const pipeline = await JobPipeline.open(t);
  let askedCount = 0;
  const publisher = await pipeline.relayPublisher();
  const relay = await pipeline.relay({
    publisher,
    readyCount: () => {
      askedCount += 1;
      return Promise.reject(new Error('the broker is away'));
    },
  });
  const id = await pipeline.storeBatch([pendingJob()]);
  relay.wake();
  await eventually(() => askedCount > 2, { describe: () => String(askedCount) });
  const [batch] = await pipeline.store.batchesOf(id);
  assert.deepEqual([batch?.state, batch?.deferred], ['open', undefined]);
  assert.equal(await pipeline.readyCount('trivial'), 0);
});

test('a batch of a kind that this release does not know stays open for another release', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const unknown = await pipeline.storeBatch([{ ...pendingJob(), kind: 'newer' }]);
  await pipeline.submit([pendingJob()]);
  const [batch] = await pipeline.store.batchesOf(unknown);
  assert.deepEqual([batch?.state, batch?.owner, batch?.fence], ['open', '', 1]);
});

test('one job that cannot be encoded is dead with its reason, and its neighbours are published', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const good = Array.from({ length: 20 }, () => pendingJob());
  const bad = pendingJob('poison');
  const { signer } = pipeline.store;
  await pipeline.relay({
    stores: {
      ...pipeline.store,
      signer: {
        accepts: signer.accepts.bind(signer),
        sign: (body: Buffer) => {
          if (body.includes('poison')) throw new RangeError('it has no text');
          return signer.sign(body);
        },
      } as unknown as typeof signer,
    },
  });
  // A message id has at most 255 bytes in AMQP.
  const long = { ...pendingJob(), _id: `trivial:${'x'.repeat(300)}:2026-01-01` };
  await pipeline.submit([...good.slice(0, 10), bad, long, ...good.slice(10)]);
  const record = await pipeline.expectState(bad, 'dead');
  assert.deepEqual([record.death?.cause, record.death?.reason], ['malformed', 'it has no text']);
  const unsendable = await pipeline.expectState(long, 'dead');
  assert.match(unsendable.death?.reason ?? '', /^INVALID: it cannot be encoded/);
  assert.equal(await pipeline.readyCount('trivial'), 20);
  assert.equal(pipeline.eventsOf('stageFailed').length, 2);
});

test('jobs whose priority the kind no longer declares are published with the default one', async (t) => {
  const pipeline = await JobPipeline.open(t, PRIORITIES);
  const renamed = { ...pendingJob(), priority: 'urgent', isUrgent: true as const };
  const jobs = [renamed, { ...pendingJob(), priority: 'urgent' }, pendingJob()];
  await pipeline.submit(jobs);
  await pipeline.worker();
  for (const job of jobs) await pipeline.expectState(job, 'done');
  assert.deepEqual(
    pipeline.eventsOf('priorityUnknown').reduce((sum, { count }) => sum + count, 0),
    2,
  );
  assert.deepEqual(pipeline.eventsOf('stageFailed'), []);
});

test('a job that cannot be encoded counts once for its run, although a statement whose answer is lost is repeated', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const { signer, runs } = pipeline.store;
  for (const name of ['addEnds', 'requestRecount'] as const) {
    const original = runs[name].bind(runs) as (...parameters: unknown[]) => Promise<void>;
    t.mock.method(runs, name, async (...parameters: unknown[]) => {
      await original(...parameters);
      await original(...parameters);
    });
  }
  await pipeline.relay({
    stores: {
      ...pipeline.store,
      signer: {
        accepts: signer.accepts.bind(signer),
        sign: (body: Buffer) => {
          if (body.includes('poison')) throw new RangeError('it has no text');
          return signer.sign(body);
        },
      } as unknown as typeof signer,
    },
  });
  const { _id } = await pipeline.startRun([...jobsOf(3), requestedJob('poison')]);
  await pipeline.worker();
  await pipeline.expectRun(_id, ({ ends }) => ends.done === 3);
  // A worker died before it had counted one of its jobs; a job that counts twice would hide that.
  await pipeline.store.raw('runs').updateOne({ _id }, { $set: { 'ends.done': 2 } });
  let nowMs = 0;
  const reconciler = new Reconciler({
    declaration: pipeline.declaration,
    stores: pipeline.store,
    depthOf: () => Promise.resolve({ readyCount: Infinity, consumerCount: 0 }),
    staleAfterMs: 60_000,
    nowMs: () => nowMs,
    onEvent: () => undefined,
  });
  const run = await eventually(
    async () => {
      nowMs += 3_600_000;
      await reconciler.round();
      const found = await pipeline.store.runs.find(_id);
      return found?.isActive === false && found;
    },
    { describe: async () => JSON.stringify(await pipeline.store.runs.find(_id)) },
  );
  assert.deepEqual(run.ends, { done: 3, dead: 1, cancelled: 0, causes: { malformed: 1 } });
});

test('one job that the database refuses is counted as refused, and its page is published', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const jobs = jobsOf(40);
  const { jobs: store } = pipeline.store;
  const poison = jobs[17]!.key;
  await pipeline.relay({
    stores: {
      ...pipeline.store,
      jobs: {
        findAll: store.findAll.bind(store),
        insert: async (records: Parameters<typeof store.insert>[0]) => {
          if (records.some(({ _id }) => _id.includes(poison)))
            throw new StatementRefused(new Error('a document of this shape is refused'));
          return await store.insert(records);
        },
      } as unknown as typeof store,
    },
  });
  const { _id } = await pipeline.startRun(jobs);
  const run = await pipeline.expectRun(_id, isExpanded);
  assert.deepEqual([run.expanded, run.created, run.refused], [40, 39, 1]);
  assert.equal(await pipeline.readyCount('trivial'), 39);
});

test('a job of an earlier run that is deleted before it is read is recorded and published', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const jobs = jobsOf(40);
  const { jobs: store } = pipeline.store;
  const earlier = newJob(jobs[17]!, { runId: 'earlier', batch: 'earlier:', now: new Date() });
  await store.insert([earlier]);
  let isDeleted = false;
  await pipeline.relay({
    stores: {
      ...pipeline.store,
      jobs: {
        findAll: async (ids: readonly string[]) => {
          if (!isDeleted) await pipeline.store.raw('jobs').deleteOne({ _id: earlier._id });
          isDeleted = true;
          return await store.findAll(ids);
        },
        insert: store.insert.bind(store),
      } as unknown as typeof store,
    },
  });
  const { _id } = await pipeline.startRun(jobs);
  const run = await pipeline.expectRun(_id, isExpanded);
  assert.deepEqual([run.expanded, run.created, run.skipped], [40, 40, 0]);
  assert.equal((await store.find(earlier._id))?.runId, _id);
});

test('jobs of an earlier run are skipped, and belong to the batches of both runs', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const shared = jobsOf(30);
  const first = await pipeline.startRun(shared);
  await pipeline.expectRun(first._id, isExpanded);
  const second = await pipeline.startRun([...shared, ...jobsOf(5)]);
  const run = await pipeline.expectRun(second._id, isExpanded);
  assert.deepEqual([run.expanded, run.created, run.skipped], [35, 5, 30]);
  const [batch] = await pipeline.expectBatches(second._id, ({ state }) => state === 'published');
  assert.equal(batch?.skippedIds?.length, 30);
  assert.equal(await pipeline.readyCount('trivial'), 35, 'each job was published once');
});

test('a run whose process died is continued behind its cursor, and no page is recorded twice', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const jobs = jobsOf(3_500);
  const run = await pipeline.storeRun(jobs, 'a process that died');
  const sorted = pipeline.requested.get(run._id)!;
  // It had recorded and published the first page, stored the batch of the second without its jobs, and ended.
  const before = await pipeline.relay(EMPTY);
  await pipeline.store
    .raw('runs')
    .updateOne({ _id: run._id }, { $set: { leaseUntil: new Date(0) } });
  const lastOf = (page: number) => sorted[page * 1_000 - 1]!.key;
  await pipeline.store.batches.insert(
    {
      _id: pageBatchId(run._id, lastOf(1)),
      runId: run._id,
      page: 1,
      after: lastOf(1),
      last: lastOf(2),
      kind: 'trivial',
      ids: sorted.slice(1_000, 2_000).map(({ key }) => `trivial:${key}`),
      createdAt: new Date(),
      owner: 'a process that died',
    },
    new Date(0),
  );
  before.wake();
  const whole = await pipeline.expectRun(run._id, isExpanded);
  assert.deepEqual(
    [whole.expanded, whole.created, whole.skipped, whole.recordedPages, whole.pageCount],
    [3_500, 3_500, 0, 4, 4],
  );
  assert.equal(await pipeline.readyCount('trivial'), 3_500);
});

test('two relays never expand the same part of a run twice', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const relays = [await pipeline.relay(EMPTY), await pipeline.relay(EMPTY)];
  const jobs = jobsOf(2_200);
  const runs = [await pipeline.storeRun(jobs), await pipeline.storeRun(jobsOf(1_200))];
  await pipeline.store.raw('runs').updateMany({}, { $set: { leaseUntil: new Date(0) } });
  for (const relay of relays) relay.wake();
  for (const { _id } of runs) await pipeline.expectRun(_id, isExpanded);
  const counts = await Promise.all(runs.map(({ _id }) => pipeline.store.runs.find(_id)));
  assert.deepEqual(
    counts.map((run) => [run?.created, run?.skipped, run?.fence]),
    [
      [2_200, 0, 2],
      [1_200, 0, 2],
    ],
  );
  assert.equal(await pipeline.readyCount('trivial'), 3_400);
});

test('a relay that lost its lease while the broker did not answer marks nothing, and the next holder counts', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.relayPublisher();
  const held = Promise.withResolvers<undefined>();
  const slow = {
    isReady: true,
    send: (...message: Parameters<typeof publisher.send>) => {
      void held.promise.then(() => {
        publisher.send(...message);
      });
    },
  };
  await pipeline.relay({ publisher: slow });
  const { _id } = await pipeline.startRun(jobsOf(10));
  await pipeline.expectBatches(_id, ({ state }) => state === 'open');
  // Another process takes the batch, as it does when the lease of a process that hangs has ended.
  await pipeline.store.raw('batches').updateMany({}, { $set: { leaseUntil: new Date(0) } });
  (await pipeline.relay({ publisher })).wake();
  await pipeline.expectBatches(_id, ({ state, fence }) => state === 'published' && fence === 2);
  held.resolve(undefined);
  const run = await pipeline.expectRun(_id, ({ recordedPages }) => recordedPages > 0);
  await eventually(async () => (await pipeline.readyCount('trivial')) === 20, {
    describe: async () => String(await pipeline.readyCount('trivial')),
  });
  const after = await pipeline.store.runs.find(_id);
  assert.deepEqual([after?.recordedPages, after?.expanded], [1, 10], JSON.stringify(run));
});

test('a request for one member 25 times leaves the daily run complete', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const jobs = jobsOf(30);
  const daily = await pipeline.startRun(jobs);
  await pipeline.expectRun(daily._id, isExpanded);
  for (let count = 0; count < 25; count += 1) {
    const { _id } = await pipeline.startRun([jobs[7]!]);
    await pipeline.expectRun(_id, ({ skipped }) => skipped === 1);
  }
  const [batch] = await pipeline.expectBatches(daily._id, ({ state }) => state === 'published');
  assert.equal(batch?.ids.length, 30);
  assert.equal(endsOf((await pipeline.store.runs.find(daily._id))!).done, 0);
});

test('a relay with a full queue and many pending jobs reads the depth a few times a second, and nothing else', async (t) => {
  const pipeline = await JobPipeline.open(t, SMALL);
  let askedCount = 0;
  await pipeline.relay({
    readyCount: async (queue) => {
      askedCount += 1;
      return await pipeline.readyCount(queue);
    },
  });
  await pipeline.startRun(jobsOf(5_000));
  await eventually(() => askedCount > 20, { describe: () => String(askedCount) });
  const beforeCount = askedCount;
  const startedAt = performance.now();
  await eventually(() => askedCount >= beforeCount + 4, { describe: () => String(askedCount) });
  // At the longest pause four readings take a second; a hot loop would make them in milliseconds.
  assert.ok(performance.now() - startedAt >= 500, `${performance.now() - startedAt} ms`);
  assert.equal(pipeline.eventsOf('published').length, 0, 'no page was confirmed as a whole');
  assert.ok(pipeline.events.length < 20, JSON.stringify(pipeline.events));
});
