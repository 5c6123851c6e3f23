/** Goal: each dead letter changes the record of its job or is stored itself. Method: dead letters made by a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { QueueWorker } from '@fit/topology/work';
import { connect } from 'amqplib';
import { KIND, pendingJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';

const SHORT_LIVED = declareTopology({
  exchange: 'jobs',
  kinds: {
    trivial: { key: 'job.trivial', queue: 'trivial', tiers: [50, 100, 150], messageTtl: 100 },
  },
});

test('a job that expires in its queue is dead with the cause expired', async (t) => {
  const pipeline = await JobPipeline.open(t, SHORT_LIVED);
  const jobs = Array.from({ length: 5 }, () => pendingJob());
  await pipeline.submit(jobs);
  await pipeline.startRecorder();
  for (const job of jobs)
    assert.equal((await pipeline.expectState(job, 'dead')).death?.cause, 'expired');
  assert.equal(await pipeline.store.raw('deadLetters').countDocuments(), 0);
  assert.equal(
    pipeline.eventsOf('deadLettered').reduce((sum, { count }) => sum + count, 0),
    5,
  );
  const ends = pipeline.eventsOf('deadLettered').flatMap((event) => event.ends);
  assert.equal(ends.length, 5);
  // The message lived for its whole TTL, and no attempt was made.
  assert.ok(ends.every(({ attemptCount, endToEndMs = 0 }) => !attemptCount && endToEndMs >= 100));
  assert.deepEqual(pipeline.eventsOf('deadLetterStored'), []);
});

test('a dead letter of an older generation, or of a finished job, changes nothing', async (t) => {
  const pipeline = await JobPipeline.open(t, SHORT_LIVED);
  const [old, done] = [pendingJob(), pendingJob()];
  await pipeline.submit([old, done]);
  await pipeline.store.raw('jobs').updateOne({ _id: old._id }, { $set: { generation: 2 } });
  await pipeline.store.jobs.finish({ ids: [done._id], attemptCount: 1, workerId: 'w' });
  const last = pendingJob();
  await pipeline.submit([last]);
  await pipeline.startRecorder();
  await pipeline.expectState(last, 'dead');
  assert.equal((await pipeline.store.jobs.find(old._id))?.state, 'pending');
  assert.equal((await pipeline.store.jobs.find(done._id))?.state, 'done');
});

test('dead letters without a record are stored whole; equal ones are stored once', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  await pipeline.startRecorder();
  for (const id of ['a', 'a', 'b'])
    await publisher.publish({
      exchange: 'trivial.return',
      key: 'trivial.r9',
      id,
      body: Buffer.from(`unknown ${id}`),
    });
  const deadLetters = await eventually(
    async () => {
      const stored = await pipeline.store
        .raw('deadLetters')
        .find()
        .sort({ messageId: 1 })
        .toArray();
      const seen = stored.reduce((sum, deadLetter) => sum + Number(deadLetter['seen']), 0);
      return seen === 3 && stored;
    },
    {
      describe: async () =>
        `${await pipeline.store.raw('deadLetters').countDocuments()} dead letters`,
    },
  );
  assert.deepEqual(
    deadLetters.map(({ messageId, cause, routingKey, seen }) => [
      messageId,
      cause,
      routingKey,
      seen,
    ]),
    [
      ['a', 'unknown', 'trivial.r9', 2],
      ['b', 'unknown', 'trivial.r9', 1],
    ],
  );
});

test('a job whose worker crashes six times is dead as crashed', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const killer = pendingJob();
  await pipeline.submit([killer]);
  await pipeline.startRecorder();
  // To the broker a worker that crashes during an attempt is a connection that ends with an unsettled delivery.
  const crashes = KIND.crashLimit + 1;
  for (let crash = 0; crash < crashes; crash += 1) {
    const connection = await connect(pipeline.amqpUrl);
    const channel = await connection.createChannel();
    await eventually(async () => (await channel.get('trivial')) !== false, {
      describe: () => `delivery ${crash + 1} of ${crashes} did not come`,
    });
    await connection.close();
  }
  const dead = await pipeline.expectState(killer, 'dead');
  assert.equal(dead.death?.cause, 'crashed');
  assert.equal(dead.attempts, undefined);
});

test('a job that a worker gave up before it could write the record is dead with its last error', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const job = pendingJob();
  await pipeline.submit([job]);
  const worker = await QueueWorker.open({
    declaration: pipeline.declaration,
    kind: 'trivial',
    amqpUrl: pipeline.amqpUrl,
    managementUrl: pipeline.managementUrl,
    run: ({ attempt }) => {
      throw new RangeError(`no ${attempt.number}`);
    },
  });
  t.after(() => worker.close());
  await pipeline.startRecorder();
  const { death } = await pipeline.expectState(job, 'dead');
  assert.deepEqual([death?.cause, death?.reason], ['exhausted', `no ${KIND.tiersMs.length + 1}`]);
});
