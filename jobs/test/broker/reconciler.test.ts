/**
 * Goal: jobs in a worker's hand run once, however long they take, and jobs that the broker lost come back. Method: real
 * broker, database, relay and worker; the reconciler's clock jumps an hour with each round, so every round is decisive.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePayload, type Handler, type NewJob, Reconciler, type RunRecord } from '@fit/jobs';
import { eventually } from '@fit/stack/testing';
import Type from 'typebox';
import { ReportingWorker } from '../../src/open/reportingWorker.ts';
import { requestedJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';
import { schemaOf } from '../support/standardSchema.ts';

const requestedJobs = (count: number): NewJob[] =>
  Array.from({ length: count }, () => requestedJob());

/** @returns a function that does one round, `stepMs` after the last one, in which every published job counts as stale; it returns how many were lost. */
function roundsOf(pipeline: JobPipeline, stepMs = 3_600_000): () => Promise<number> {
  let nowMs = 0;
  const reconciler = new Reconciler({
    declaration: pipeline.declaration,
    stores: pipeline.store,
    depthOf: (queue) => pipeline.depthOf(queue),
    staleAfterMs: 1,
    nowMs: () => nowMs,
    onEvent: (event) => pipeline.events.push(event),
  });
  return async () => {
    nowMs += stepMs;
    return (await reconciler.round()).lostCount;
  };
}

async function expectPublished(pipeline: JobPipeline, run: RunRecord): Promise<void> {
  await pipeline.expectBatches(run._id, ({ state }) => state !== 'open');
}

/** Does rounds until the run is finished. */
async function expectFinished(
  pipeline: JobPipeline,
  { _id }: RunRecord,
  round: () => Promise<number>,
): Promise<RunRecord> {
  return await eventually(
    async () => {
      await round();
      const run = await pipeline.store.runs.find(_id);
      return run?.isActive === false && run;
    },
    {
      deadlineMs: 30_000,
      describe: async () => JSON.stringify([await pipeline.store.runs.find(_id), pipeline.events]),
    },
  );
}

test('no attempt runs twice: 250 prefetched jobs whose attempts take longer than a job may be stale', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const round = roundsOf(pipeline);
  const opened = Promise.withResolvers<undefined>();
  // Attempts that still wait would keep the process of a failed test alive.
  t.after(() => {
    opened.resolve(undefined);
  });
  const attempts: string[] = [];
  const handler: Handler<unknown, string> = {
    payload: compilePayload(Type.Unknown()),
    run: async ({ id, attempt }) => {
      attempts.push(`${id} ${attempt}`);
      await opened.promise;
      return { type: 'done', effect: id };
    },
    store: () => Promise.resolve(),
  };
  const worker = await pipeline.worker({
    handlers: new Map([['trivial', handler]]),
    prefetchCount: 250,
    concurrency: 20,
    deadlineMs: 600_000,
    heartbeatMs: 50,
  });
  const jobs = requestedJobs(250);
  const run = await pipeline.startRun(jobs);
  await expectPublished(pipeline, run);
  const { workers, clock } = pipeline.store;
  // The first 20 attempts are marked as running once they take longer than a second.
  await eventually(
    async () => {
      const [record] = await workers.alive(clock.now());
      const { running = 0 } = await pipeline.statesOf(jobs);
      return record?.jobIds.length === 250 && running === 20;
    },
    { describe: async () => JSON.stringify([await workers.alive(clock.now()), attempts.length]) },
  );
  for (let count = 0; count < 5; count += 1) assert.equal(await round(), 0);
  opened.resolve(undefined);
  const finished = await expectFinished(pipeline, run, round);
  assert.deepEqual([finished.ends.done, finished.total], [250, 250]);
  assert.deepEqual([attempts.length, new Set(attempts).size], [250, 250]);
  assert.deepEqual(pipeline.eventsOf('reconciled'), []);
  await worker.close(2_000);
  assert.deepEqual(await workers.alive(clock.now()), []);
});

test('beside a worker without a heartbeat nothing is published twice, and jobs of a purged queue come back once it has settled what it had', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const round = roundsOf(pipeline, 13_000);
  const { store } = pipeline;
  const opened = Promise.withResolvers<undefined>();
  t.after(() => {
    opened.resolve(undefined);
  });
  const attempts: string[] = [];
  const reported: string[] = [];
  const worker = await ReportingWorker.open({
    connection: await pipeline.connect(),
    declaration: pipeline.declaration,
    kind: pipeline.declaration.kinds[0]!,
    work: {
      kind: { payload: schemaOf((payload: unknown) => payload), retry: { delays: [] } },
      delayCount: 3,
      run: async ({ id }) => {
        attempts.push(id);
        await opened.promise;
      },
      onError: undefined,
    },
    concurrency: 5,
    prefetchCount: 10,
    report: async ({ id, state }) => {
      assert.equal(state, 'done');
      reported.push(id);
      await store.jobs.finish({ ids: [id], attemptCount: 1, workerId: 'reporting' });
    },
    onEvent: (event) => pipeline.events.push(event),
  });
  t.after(() => worker.close(2_000));
  const jobs = requestedJobs(20);
  const run = await pipeline.startRun(jobs);
  await expectPublished(pipeline, run);
  await eventually(async () => (await pipeline.readyCount('trivial')) === 10, {
    describe: async () => `${await pipeline.readyCount('trivial')} ready`,
  });
  for (let count = 0; count < 30; count += 1) assert.equal(await round(), 0);
  await pipeline.purge('trivial');
  opened.resolve(undefined);
  await eventually(() => reported.length === 10, { describe: () => reported.join(' ') });
  const lostCount = await eventually(async () => (await round()) || false, {
    describe: () => JSON.stringify(pipeline.events),
  });
  assert.equal(lostCount, 10);
  await eventually(async () => (await pipeline.statesOf(jobs))['done'] === 20, {
    describe: async () => JSON.stringify(await pipeline.statesOf(jobs)),
  });
  assert.deepEqual([attempts.length, new Set(attempts).size], [20, 20]);
});

test('jobs of a purged queue come back and end', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const round = roundsOf(pipeline);
  const run = await pipeline.startRun(requestedJobs(30));
  await expectPublished(pipeline, run);
  assert.equal(await pipeline.readyCount('trivial'), 30);
  for (let count = 0; count < 3; count += 1) assert.equal(await round(), 0);
  await pipeline.purge('trivial');
  assert.equal(await round(), 0);
  assert.equal(await round(), 30);
  await pipeline.worker();
  const finished = await expectFinished(pipeline, run, round);
  assert.deepEqual([finished.ends.done, finished.expanded], [30, 30]);
  assert.equal(pipeline.effects.length, 30);
  assert.deepEqual(pipeline.eventsOf('reconciled'), [{ type: 'reconciled', count: 30 }]);
});

test('a reconciler that is killed in the middle of a repair leaves a batch that a relay publishes after its lease', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const round = roundsOf(pipeline);
  const run = await pipeline.startRun(requestedJobs(5));
  await expectPublished(pipeline, run);
  await pipeline.purge('trivial');
  const killed = new Error('killed');
  const { mock } = t.mock.method(pipeline.store.batches, 'release', () => Promise.reject(killed));
  await round();
  await assert.rejects(round(), killed);
  mock.restore();
  await pipeline.worker();
  const batches = pipeline.store.raw('batches');
  const found = await batches.findOne({ state: 'open' });
  assert.match(found?._id ?? '', /^reconcile-/);
  await batches.updateOne({ _id: found?._id ?? '' }, { $set: { leaseUntil: new Date(0) } });
  const finished = await expectFinished(pipeline, run, round);
  assert.equal(finished.ends.done, 5);
  assert.equal(pipeline.effects.length, 5);
});
