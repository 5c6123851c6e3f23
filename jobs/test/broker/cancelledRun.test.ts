/**
 * Goal: a cancelled run starts nothing more, its counts add up, and a further run creates what is missing and nothing twice.
 * Method: a queue that takes a part of the run, a process that died while it expanded the run, and workers that come later.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cancelJob, cancelRun, jobId, pageBatchId, Reconciler } from '@fit/jobs';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { pendingJob, requestedJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';

const SMALL = declareTopology({
  exchange: 'jobs',
  kinds: {
    trivial: { key: 'job.trivial', queue: 'trivial', tiers: [50, 100, 150], maxLength: 20 },
  },
});
const PAGE = 20;
const JOBS = 120;

test('a run is cancelled while it is expanded, and a further run creates what is missing', async (t) => {
  const pipeline = await JobPipeline.open(t, SMALL);
  const { store } = pipeline;
  const source = {
    ...pipeline.source,
    page: (run: Parameters<typeof pipeline.source.page>[0], after: string) =>
      pipeline.source.page(run, after, PAGE),
  };
  const relay = await pipeline.relay({ source });
  const jobs = Array.from({ length: JOBS }, () => requestedJob());
  const { _id } = await pipeline.startRun(jobs);
  const ids = pipeline.requested.get(_id)!.map(({ kind, key }) => jobId(kind, key));
  // Without a worker the queue takes ten jobs of the first page, and three pages are in work.
  await eventually(async () => (await pipeline.readyCount('trivial')) === 10, {
    describe: async () => String(await pipeline.readyCount('trivial')),
  });
  const done = ids[2 * PAGE]!;
  await store.jobs.finish({ ids: [done], attemptCount: 1, workerId: 'w' });
  await store.runs.addEnds(_id, { done: 1, dead: 0, cancelled: 0, causes: {} });

  assert.equal(await cancelRun(store, _id), true);
  assert.equal(await cancelRun(store, _id), false, 'it was cancelled before');
  const states = { done: 1, cancelled: 3 * PAGE - 1 };
  assert.deepEqual((await store.jobs.countAmong(ids)).states, states, 'at once');
  // The relay that expanded the run did not know yet, stored the batch of one more page, and was killed before it stored the jobs.
  const [after, last] = [3, 4].map((page) => pipeline.requested.get(_id)![page * PAGE - 1]!.key);
  await store.batches.insert(
    {
      _id: pageBatchId(_id, after!),
      runId: _id,
      page: 3,
      after: after!,
      last: last!,
      kind: 'trivial',
      ids: ids.slice(3 * PAGE, 4 * PAGE).sort(),
      createdAt: new Date(),
      owner: 'a process that died',
    },
    new Date(0),
  );
  // Its lease is over.
  const cancelledAt = new Date(store.clock.now().getTime() - 60_000);
  await store.raw('runs').updateOne({ _id }, { $set: { cancelledAt } });
  let nowMs = 0;
  const reconciler = new Reconciler({
    declaration: SMALL,
    stores: store,
    depthOf: (queue) => pipeline.depthOf(queue),
    staleAfterMs: 3_600_000,
    nowMs: () => nowMs,
    onEvent: () => undefined,
  });
  const reconcile = async (id: string) =>
    await eventually(
      async () => {
        nowMs += 3_600_000;
        await reconciler.round();
        const found = await store.runs.find(id);
        return found?.isActive === false && found;
      },
      {
        describe: async () =>
          JSON.stringify([
            await store.runs.find(id),
            (await store.batchesOf(id)).map((batch) => ({ ...batch, ids: batch.ids.length })),
          ]),
      },
    );
  const run = await reconcile(_id);
  assert.deepEqual(
    [run.ends.done, run.ends.cancelled, run.expanded, run.recordedPages, run.pageCount, run.total],
    [1, 4 * PAGE - 1, 4 * PAGE, 4, 4, JOBS],
  );
  assert.deepEqual(await store.jobs.countAmong(ids).then(({ states }) => states), {
    done: 1,
    cancelled: 4 * PAGE - 1,
  });
  await pipeline.worker();
  await eventually(async () => (await pipeline.readyCount('trivial')) === 0, {
    describe: async () => String(await pipeline.readyCount('trivial')),
  });
  await eventually(() => pipeline.eventsOf('attempted').length >= 10, {
    describe: () => JSON.stringify(pipeline.events),
  });
  assert.deepEqual(pipeline.runs, [], 'no message of a cancelled job was worked on');

  const further = {
    _id: `again-${_id}`,
    request: {},
    items: jobs.map(({ key }) => key).sort(),
    requestHash: '',
    rerunOf: _id,
  };
  pipeline.requested.set(further._id, pipeline.requested.get(_id)!);
  relay.begin(await store.runs.insertIfAbsent(further, relay.owner));
  await eventually(async () => (await pipeline.statesOf(jobs))['done'] === JOBS, {
    describe: async () => JSON.stringify(await pipeline.statesOf(jobs)),
  });
  const again = await reconcile(further._id);
  assert.deepEqual(
    [again.created, again.skipped, again.ends.done, again.skippedEnds.done, again.total],
    [JOBS - 1, 1, JOBS - 1, 1, JOBS],
  );
  assert.deepEqual(
    new Set(pipeline.effects),
    new Set(ids.filter((id) => id !== done)),
    'the done job was left alone',
  );
  assert.equal(pipeline.runs.length, JOBS - 1, 'each of them once');
  const record = await store.jobs.find(ids[0]!);
  assert.deepEqual(
    [record?.generation, record?.runId, record?.replays?.map(({ operationId }) => operationId)],
    [2, further._id, [further._id]],
  );
});

test('one job is cancelled before its first attempt, and a job whose effect was stored nevertheless is done', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const { store } = pipeline;
  const [waiting, late] = [pendingJob(), pendingJob()];
  await pipeline.submit([waiting, late]);
  for (const { _id } of [waiting, late]) assert.equal(await cancelJob(store, _id), true);
  assert.equal(await cancelJob(store, waiting._id), false);
  assert.equal(await cancelJob(store, 'trivial:nobody'), false);
  // A worker had begun it before it could know.
  await store.jobs.finish({ ids: [late._id], attemptCount: 1, workerId: 'w' });
  await pipeline.worker();
  await eventually(() => pipeline.eventsOf('attempted').length >= 2, {
    describe: () => JSON.stringify(pipeline.events),
  });
  assert.equal((await pipeline.expectState(waiting, 'cancelled')).attempts, undefined);
  assert.deepEqual(
    pipeline.runs.filter((run) => run.startsWith(waiting._id)),
    [],
  );
  await pipeline.expectState(late, 'done');
});
