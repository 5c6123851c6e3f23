/** Goal: what a letter says reaches its record, and nothing else is thrown away. Method: letters made by a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { connect } from 'amqplib';
import { KIND, pendingJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';

const SHORT_LIVED = declareTopology({
  exchange: 'jobs',
  kinds: {
    trivial: { key: 'job.trivial', queue: 'trivial', tiers: [50, 100, 150], messageTtl: 100 },
  },
});

test('an expired job is dead with that cause', async (t) => {
  const pipeline = await JobPipeline.open(t, SHORT_LIVED);
  const publisher = await pipeline.publisher();
  const jobs = Array.from({ length: 5 }, () => pendingJob());
  await pipeline.submit(publisher, jobs);
  await pipeline.startRecorder();
  for (const job of jobs)
    assert.equal((await pipeline.expectState(job, 'dead')).death?.cause, 'expired');
  assert.equal(await pipeline.store.deadLetters.count(), 0);
  assert.equal(
    pipeline.eventsOf('deadLettered').reduce((sum, { count }) => sum + count, 0),
    5,
  );
  const ends = pipeline.eventsOf('deadLettered').flatMap((event) => event.ends);
  assert.equal(ends.length, 5);
  // Its time to live is over, and no attempt was made.
  assert.ok(ends.every(({ attemptCount, endToEndMs = 0 }) => !attemptCount && endToEndMs >= 100));
  assert.deepEqual(pipeline.eventsOf('deadLetterStored'), []);
});

test('a letter of an older generation, or of a finished job, changes nothing', async (t) => {
  const pipeline = await JobPipeline.open(t, SHORT_LIVED);
  const publisher = await pipeline.publisher();
  const [old, done] = [pendingJob(), pendingJob()];
  await pipeline.submit(publisher, [old, done]);
  await pipeline.store.raw('jobs').updateOne({ _id: old._id }, { $set: { generation: 2 } });
  await pipeline.store.jobs.change('finish', [{ id: done._id, generation: 1 }], new Date());
  const last = pendingJob();
  await pipeline.submit(publisher, [last]);
  await pipeline.startRecorder();
  await pipeline.expectState(last, 'dead');
  assert.equal((await pipeline.store.jobs.find(old._id))?.state, 'queued');
  assert.equal((await pipeline.store.jobs.find(done._id))?.state, 'done');
});

test('a letter without a record is kept whole, once for each that differs', async (t) => {
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
  const letters = await eventually(
    async () => {
      const stored = await pipeline.store
        .raw('deadLetters')
        .find()
        .sort({ messageId: 1 })
        .toArray();
      const seen = stored.reduce((sum, letter) => sum + Number(letter['seen']), 0);
      return seen === 3 && stored;
    },
    { describe: async () => `${await pipeline.store.deadLetters.count()} letters` },
  );
  assert.deepEqual(
    letters.map(({ messageId, cause, routingKey, seen }) => [messageId, cause, routingKey, seen]),
    [
      ['a', 'unknown', 'trivial.r9', 2],
      ['b', 'unknown', 'trivial.r9', 1],
    ],
  );
});

test('a job that ends its worker six times is dead as crashed', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  const killer = pendingJob();
  await pipeline.submit(publisher, [killer]);
  await pipeline.startRecorder();
  // A worker that dies holding a message looks like this to the broker: its connection ends, nothing was settled.
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
  assert.equal(dead.attempts.length, 0);
});
