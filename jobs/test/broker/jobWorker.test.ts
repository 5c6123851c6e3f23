/** Goal: each job ends in the right state, with its history. Method: a trivial handler, real broker, real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endedCount, endsOf, type Handler, type RunRecord, StatementRefused } from '@fit/jobs';
import { type FinishedJobs, JobStore } from '@fit/jobs/store';
import { eventually } from '@fit/stack/testing';
import { CAUSE_HEADER } from '@fit/topology';
import type { Publisher } from '@fit/topology/amqp';
import { encodeJob } from '../../src/record/jobMessage.ts';
import { pendingJob, requestedJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';

test('a job that is done at its first attempt has one effect and no dead letter', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const worker = await pipeline.worker();
  const jobs = Array.from({ length: 100 }, () => pendingJob());
  await pipeline.submit(jobs);
  for (const job of jobs) {
    const record = await pipeline.expectState(job, 'done');
    assert.deepEqual(
      [record.attemptCount, record.attempts, record.workerId],
      [1, undefined, worker.id],
    );
    assert.deepEqual(record.doneAt, record.stateAt);
  }
  assert.deepEqual(pipeline.effects.toSorted(), jobs.map(({ _id }) => _id).sort());
  assert.equal(await pipeline.store.raw('deadLetters').countDocuments(), 0);
});

test('the ends of two runs at once are counted for each run, by state and cause', async (t) => {
  const pipeline = await JobPipeline.open(t);
  await pipeline.worker();
  await pipeline.startRecorder();
  const jobs = (outcome: string, count: number) =>
    Array.from({ length: count }, () => requestedJob(outcome));
  const [first, second] = [
    await pipeline.startRun([
      ...jobs('done', 40),
      ...jobs('third', 2),
      ...jobs('reject', 3),
      ...jobs('retry', 2),
    ]),
    await pipeline.startRun([...jobs('done', 30), ...jobs('reject', 1)]),
  ];
  const ended = (count: number) => (run: RunRecord) => endedCount(endsOf(run)) === count;
  assert.deepEqual((await pipeline.expectRun(first._id, ended(47))).ends, {
    done: 42,
    dead: 5,
    cancelled: 0,
    causes: { fatal: 3, exhausted: 2 },
  });
  assert.deepEqual((await pipeline.expectRun(second._id, ended(31))).ends, {
    done: 30,
    dead: 1,
    cancelled: 0,
    causes: { fatal: 1 },
  });
  for (const { _id } of [first, second])
    assert.equal((await pipeline.store.runs.find(_id))?.needsRecount, undefined);
});

test('a job that fails twice and is then done has one effect and three attempts', async (t) => {
  const pipeline = await JobPipeline.open(t);
  await pipeline.worker();
  const job = pendingJob('third');
  await pipeline.submit([job]);
  const { attempts = [] } = await pipeline.expectState(job, 'done');
  assert.deepEqual(
    attempts.map(({ number, outcome, delayMs }) => [number, outcome, delayMs]),
    [
      [1, 'retry', 50],
      [2, 'retry', 100],
      [3, 'done', undefined],
    ],
  );
  assert.deepEqual(pipeline.effects, [job._id]);
  const [end] = pipeline.eventsOf('finished').flatMap(({ ends }) => ends);
  // The waits of two tiers at least.
  assert.ok(end?.attemptCount === 3 && (end.endToEndMs ?? 0) >= 150, JSON.stringify(end));
  assert.deepEqual(
    pipeline.eventsOf('attempted').map(({ waitQueue }) => waitQueue),
    ['trivial.wait.1.50ms', 'trivial.wait.2.100ms', undefined],
  );
  // The broker records the end of a wait in whole seconds, so a computed wait may be up to a second too long.
  const waits = pipeline.eventsOf('attempted').map(({ queueWaitMs = -1 }) => queueWaitMs);
  assert.ok(
    waits.every((waitMs) => waitMs >= 0 && waitMs < 5_000),
    waits.join(),
  );
});

test('a job that always fails has four attempts through the tiers and is dead as exhausted', async (t) => {
  const pipeline = await JobPipeline.open(t);
  await pipeline.worker();
  await pipeline.startRecorder();
  const job = pendingJob('retry');
  await pipeline.submit([job]);
  const { attempts = [], death, attemptCount } = await pipeline.expectState(job, 'dead');
  assert.equal(death?.cause, 'exhausted');
  assert.equal(death.reason, 'attempt 4 failed');
  assert.equal(attemptCount, 4);
  assert.deepEqual(
    attempts.map(({ number, delayMs, error }) => [number, delayMs, error?.class]),
    [
      [1, 50, 'TypeError'],
      [2, 100, 'TypeError'],
      [3, 150, 'TypeError'],
      [4, undefined, 'TypeError'],
    ],
  );
  assert.deepEqual(
    pipeline.runs,
    [1, 2, 3, 4].map((number) => `${job._id} ${number}`),
  );
  assert.deepEqual(pipeline.effects, []);
  assert.deepEqual(pipeline.eventsOf('attemptMismatch'), []);
  assert.deepEqual(
    pipeline.eventsOf('deadLettered').map(({ cause, count }) => [cause, count]),
    [['exhausted', 1]],
  );
});

test('a rejected job is dead at once with the reason, and its dead letter changes nothing', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  await pipeline.worker();
  const job = pendingJob('reject');
  await pipeline.submit([job]);
  const { death, attempts = [] } = await pipeline.expectState(job, 'dead');
  assert.deepEqual([death?.cause, death?.reason], ['fatal', 'never']);
  assert.equal(attempts.length, 1);
  assert.deepEqual(pipeline.runs, [`${job._id} 1`]);
  await pipeline.startRecorder();
  // The marker is behind the dead letter in the same queue, so once it is stored, the dead letter was read.
  const marker = { exchange: 'trivial.park', key: 'job.trivial', id: 'marker' };
  await publisher.publish({ ...marker, body: Buffer.from('marker') });
  await eventually(async () => (await pipeline.store.raw('deadLetters').countDocuments()) === 1, {
    describe: async () =>
      `${await pipeline.store.raw('deadLetters').countDocuments()} dead letters stored`,
  });
  const after = await pipeline.store.jobs.find(job._id);
  assert.deepEqual(after?.death, death);
});

async function publishBody(publisher: Publisher, id: string, body: Buffer): Promise<void> {
  const message = { exchange: 'jobs', key: 'job.trivial', id, body };
  assert.equal(await publisher.publish(message), 'confirmed');
}

test('malformed messages are dead-lettered at the first attempt, and valid jobs are done meanwhile', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  await pipeline.worker();
  await pipeline.startRecorder();
  const good = Array.from({ length: 20 }, () => pendingJob());
  const odd = { ...pendingJob(), kind: 'other' };
  const bad = ['{', 'null', '{"version":9}', '[]', encodeJob(odd).toString()];
  const submitted = pipeline.submit(good);
  for (const [index, body] of bad.entries())
    await publishBody(publisher, `bad-${index}`, Buffer.from(body));
  await submitted;
  for (const job of good) await pipeline.expectState(job, 'done');
  await eventually(
    async () => (await pipeline.store.raw('deadLetters').countDocuments()) === bad.length,
    {
      describe: async () =>
        `${await pipeline.store.raw('deadLetters').countDocuments()} dead letters of ${bad.length}`,
    },
  );
  const deadLetters = await pipeline.store.raw('deadLetters').find().toArray();
  assert.deepEqual(new Set(deadLetters.map(({ cause }) => cause)), new Set(['malformed']));
  assert.deepEqual(new Set(deadLetters.map(({ seen }) => seen)), new Set([1]));
  assert.deepEqual(
    new Set(deadLetters.map(({ routingKey }) => routingKey)),
    new Set(['job.trivial']),
  );
  assert.equal(pipeline.eventsOf('refused').length, bad.length);
  const stored = pipeline.eventsOf('deadLetterStored');
  assert.ok(stored.every(({ kind, cause }) => kind === 'trivial' && cause === 'malformed'));
  assert.equal(
    stored.reduce((sum, { count }) => sum + count, 0),
    bad.length,
  );
  assert.equal(pipeline.runs.length, good.length);
  assert.ok(deadLetters.every(({ headers }) => String(headers).includes(CAUSE_HEADER)));
});

test('a copy of a finished job stores its effect again and does not change its record', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  await pipeline.worker();
  const job = pendingJob();
  await pipeline.submit([job]);
  const first = await pipeline.expectState(job, 'done');
  await publishBody(publisher, job._id, encodeJob(job));
  await eventually(() => pipeline.eventsOf('unchanged').length === 1, {
    describe: () => JSON.stringify(pipeline.events),
  });
  assert.deepEqual(await pipeline.store.jobs.find(job._id), first);
  assert.equal(pipeline.eventsOf('finished').length, 1);
});

test('a closed worker consumes nothing, and the next worker does the job', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const worker = await pipeline.worker();
  assert.equal(worker.isUp, true);
  await worker.close(1_000);
  assert.equal(worker.inFlightCount, 0);
  const job = pendingJob();
  await pipeline.submit([job]);
  assert.equal((await pipeline.store.jobs.find(job._id))?.state, 'pending');
  await pipeline.worker();
  await pipeline.expectState(job, 'done');
  assert.deepEqual(pipeline.runs, [`${job._id} 1`]);
});

test('a malformed message with the id of a live job is stored as a dead letter, and the job stays pending', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  await pipeline.worker();
  await pipeline.startRecorder();
  const victim = pendingJob();
  await pipeline.store.jobs.insert([victim]);
  await publishBody(publisher, victim._id, Buffer.from('{"generation":1,"forged":true}'));
  await eventually(async () => (await pipeline.store.raw('deadLetters').countDocuments()) === 1, {
    describe: async () =>
      `${await pipeline.store.raw('deadLetters').countDocuments()} dead letters of 1`,
  });
  assert.equal((await pipeline.store.jobs.find(victim._id))?.state, 'pending');
  assert.equal(pipeline.eventsOf('deadLettered').length, 0);
});

test('a job whose record the worker cannot decode is dead as malformed, and its dead letter is stored', async (t) => {
  const pipeline = await JobPipeline.open(t);
  await pipeline.worker();
  await pipeline.startRecorder();
  const unreadable = { ...pendingJob(), payload: { outcome: 7 } as unknown as { outcome: string } };
  await pipeline.submit([unreadable]);
  assert.equal((await pipeline.expectState(unreadable, 'dead')).death?.cause, 'malformed');
  await eventually(async () => (await pipeline.store.raw('deadLetters').countDocuments()) === 1, {
    describe: async () =>
      `${await pipeline.store.raw('deadLetters').countDocuments()} dead letters of 1`,
  });
});

class RefusingJobStore extends JobStore {
  poison = '';

  override async finish(jobs: FinishedJobs) {
    if (jobs.ids.includes(this.poison)) throw new StatementRefused(new Error('no such change'));
    return await super.finish(jobs);
  }
}

test('a change that the database refuses stops no other job and is no outage; its message is dead-lettered with the reason', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const { store } = pipeline;
  const jobs = Array.from({ length: 30 }, () => pendingJob());
  const refusing = new RefusingJobStore(store.database);
  refusing.poison = jobs[7]?._id ?? '';
  await pipeline.worker({ stores: { ...store, jobs: refusing } });
  await pipeline.submit(jobs);
  for (const job of jobs) if (job._id !== refusing.poison) await pipeline.expectState(job, 'done');
  await eventually(async () => (await pipeline.readyCount('trivial.dead')) === 1, {
    describe: () => JSON.stringify(pipeline.events),
  });
  assert.deepEqual(pipeline.eventsOf('storeDown'), []);
  assert.equal(pipeline.eventsOf('stageFailed').length, 1);
  // The effect of the job is stored, so the recorder finishes it.
  await pipeline.startRecorder();
  assert.ok(jobs[7]);
  await pipeline.expectState(jobs[7], 'done');
  const [deadLetter] = await eventually(
    async () => {
      const stored = await store.raw('deadLetters').find().toArray();
      return stored.length === 1 && stored;
    },
    { describe: () => JSON.stringify(pipeline.events) },
  );
  assert.deepEqual(
    [deadLetter?.['cause'], deadLetter?.['reason']],
    ['malformed', 'no such change'],
  );
});

test('an effect that the database refuses fails only its own job, and is no outage', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const effects = pipeline.store.database.collection<{ _id: string; text: string }>('effects');
  const [large, ...small] = Array.from({ length: 20 }, () => pendingJob());
  assert.ok(large);
  const handler: Handler<unknown, { _id: string; text: string }> = {
    payload: { accepts: (value): value is unknown => value !== undefined, fault: () => '' },
    run: ({ id }) => ({
      type: 'done',
      // A document may have at most 16 MiB.
      effect: { _id: id, text: 'x'.repeat(id === large._id ? 17_000_000 : 10) },
    }),
    store: async (all) => {
      await effects.insertNew(all);
    },
  };
  await pipeline.worker({ handlers: new Map([['trivial', handler]]) });
  await pipeline.startRecorder();
  await pipeline.submit([large, ...small]);
  for (const job of small) await pipeline.expectState(job, 'done');
  const { death, attempts = [] } = await pipeline.expectState(large, 'dead');
  assert.equal(death?.cause, 'exhausted');
  assert.match(death.reason, /larger than the maximum size/);
  assert.equal(attempts.length, 4);
  assert.deepEqual(pipeline.eventsOf('storeDown'), []);
  assert.equal(pipeline.eventsOf('stageFailed').length, 4);
  assert.equal(await effects.count({}), small.length);
});
