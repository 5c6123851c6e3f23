/**
 * Goal: a publisher that knows only the ids of jobs can neither end a job nor change its result. Method: forged messages and
 * forged dead letters on a real broker, with a worker and the dead-letter recorder.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JobRecord, newJob } from '@fit/jobs';
import { JobStore } from '@fit/jobs/store';
import { eventually } from '@fit/stack/testing';
import type { Publisher } from '@fit/topology/amqp';
import { connect } from 'amqplib';
import { encodeJob } from '../../src/record/jobMessage.ts';
import {
  MessageSigner,
  newMessageKey,
  SIGNATURE_HEADER,
} from '../../src/record/messageSignature.ts';
import { pendingJob, requestedJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';

interface Message {
  readonly exchange?: string;
  readonly key?: string;
  readonly id: string;
  readonly body: Buffer;
  readonly headers?: Record<string, string | number>;
}

async function publish(publisher: Publisher, message: Message): Promise<void> {
  const { exchange = 'jobs', key = 'job.trivial', headers = {} } = message;
  assert.equal(await publisher.publish({ ...message, exchange, key, headers }), 'confirmed');
}

/** @returns the headers of a message that a process with the key has signed. */
function signed(
  { store }: { readonly store: Pick<JobPipeline['store'], 'signer'> },
  body: Buffer,
): Record<string, string> {
  return { [SIGNATURE_HEADER]: store.signer.sign(body) };
}

async function storedDeadLetters(pipeline: JobPipeline, count: number) {
  return await eventually(
    async () => {
      const stored = await pipeline.store.raw('deadLetters').find().toArray();
      return stored.length === count && stored;
    },
    {
      describe: async () =>
        `${await pipeline.store.raw('deadLetters').countDocuments()} dead letters of ${count}; ${JSON.stringify(pipeline.events)}`,
    },
  );
}

/** A record that no relay has published, so that only a forged message can change it. */
async function liveJob(pipeline: JobPipeline, outcome = 'done'): Promise<JobRecord> {
  const job = pendingJob(outcome);
  await pipeline.store.jobs.insert([job]);
  return job;
}

test('a message of one job with the content of another is dead-lettered as forged, and changes neither job', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  await pipeline.worker();
  await pipeline.startRecorder();
  const [job, other] = [await liveJob(pipeline, 'done'), await liveJob(pipeline, 'reject')];
  const forgeries: Partial<JobRecord>[] = [
    { _id: job._id, payload: { outcome: 'other' } },
    // This payload is rejected at once, so the job would be dead if the worker did not compare it with the record.
    { _id: job._id, payload: other.payload },
    { _id: job._id, generation: 2 },
    { _id: 'trivial:nobody:2026-01-01' },
  ];
  for (const forgery of forgeries)
    await publish(publisher, { id: job._id, body: encodeJob({ ...job, ...forgery }) });
  const deadLetters = await storedDeadLetters(pipeline, forgeries.length);
  assert.deepEqual(
    deadLetters.map(({ cause }) => cause),
    Array(forgeries.length).fill('forged'),
  );
  assert.ok(deadLetters.every(({ reason }) => String(reason).startsWith('forged: ')));
  for (const { _id } of [job, other]) {
    const record = await pipeline.store.jobs.find(_id);
    assert.deepEqual(
      [record?.state, record?.attemptCount, record?.attempts],
      ['pending', 0, undefined],
    );
  }
  assert.deepEqual(pipeline.effects, []);
  const stored = pipeline.eventsOf('deadLetterStored');
  assert.equal(
    stored.reduce((sum, { count }) => sum + count, 0),
    forgeries.length,
  );
  assert.ok(stored.every(({ cause }) => cause === 'forged'));
  // The job itself can still be done.
  const body = encodeJob(job);
  await publish(publisher, { id: job._id, body, headers: signed(pipeline, body) });
  await pipeline.expectState(job, 'done');
  assert.deepEqual(pipeline.effects, [job._id]);
});

test('a signature with another key, or of another body, does not make a message true', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  await pipeline.worker();
  await pipeline.startRecorder();
  const job = await liveJob(pipeline);
  const forged = encodeJob({ ...job, payload: { outcome: 'other' } });
  const forger = { store: { signer: new MessageSigner(newMessageKey()) } };
  const forgeries = [
    signed(forger, forged),
    signed(pipeline, encodeJob(job)),
    { [SIGNATURE_HEADER]: '' },
  ];
  for (const headers of forgeries) await publish(publisher, { id: job._id, body: forged, headers });
  const deadLetters = await storedDeadLetters(pipeline, 1);
  assert.deepEqual(
    deadLetters.map(({ cause, reason }) => [cause, String(reason).split(' (')[0]]),
    [['forged', 'forged: its body is not that of the job']],
  );
  await eventually(
    async () => (await pipeline.store.raw('deadLetters').findOne())?.['seen'] === forgeries.length,
    { describe: () => JSON.stringify(pipeline.events) },
  );
  assert.deepEqual(pipeline.effects, []);
  assert.equal((await pipeline.store.jobs.find(job._id))?.state, 'pending');
});

test('the end of a message whose run id was changed is counted for the run of its record', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  await pipeline.worker();
  const requested = requestedJob();
  const [run, other] = [await pipeline.storeRun([requested]), await pipeline.storeRun([])];
  const job = newJob(requested, { runId: run._id, batch: '', now: new Date() });
  await pipeline.store.jobs.insert([job]);
  const body = encodeJob({ ...job, runId: other._id });
  const headers = signed(pipeline, encodeJob(job));
  await publish(publisher, { id: job._id, body, headers });
  await pipeline.expectRun(run._id, ({ ends }) => ends.done === 1);
  assert.equal((await pipeline.store.runs.find(other._id))?.ends.done, 0);
});

test('only a message without a valid signature is compared with its record', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const compared: string[] = [];
  class ObservedStore extends JobStore {
    override async findComparedFields(ids: readonly string[]) {
      compared.push(...ids);
      return await super.findComparedFields(ids);
    }
  }
  const { store } = pipeline;
  const publisher = await pipeline.publisher();
  await pipeline.worker({ stores: { ...store, jobs: new ObservedStore(store.database) } });
  const [first, second] = [await liveJob(pipeline), await liveJob(pipeline)];
  const body = encodeJob(first);
  await publish(publisher, { id: first._id, body, headers: signed(pipeline, body) });
  await publish(publisher, { id: second._id, body: encodeJob(second) });
  for (const job of [first, second]) await pipeline.expectState(job, 'done');
  assert.deepEqual(compared, [second._id]);
});

test('a dead letter that does not agree with its record marks no job dead, and is stored whole as forged', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  await pipeline.startRecorder();
  const job = await liveJob(pipeline);
  const body = encodeJob(job);
  const park = { exchange: 'trivial.park', id: job._id };
  const crashed = { 'death-cause': 'crashed', 'death-message': 'so it says' };
  const forgeries: Message[] = [
    { ...park, headers: crashed, body: Buffer.from('nonsense') },
    { ...park, headers: crashed, body: encodeJob({ ...job, payload: { outcome: 'other' } }) },
    { ...park, headers: crashed, body: encodeJob({ ...job, generation: 7 }) },
    { ...park, headers: crashed, body: encodeJob(pendingJob()) },
    // The body is that of the job, but the broker brought it by no key of its kind, so a worker had to refuse it.
    { ...park, key: 'job.other', headers: { 'death-cause': 'malformed' }, body },
  ];
  for (const forgery of forgeries) await publish(publisher, forgery);
  // The header is that of a worker, but a worker marks the job dead before it acknowledges the message.
  await publish(publisher, { ...park, headers: { 'death-cause': 'fatal' }, body });
  // This history is forged: exhausted without an attempt in the record. `Publisher` would remove these headers.
  const connection = await connect(pipeline.amqpUrl);
  const channel = await connection.createConfirmChannel();
  channel.publish('trivial.park', 'trivial.r3', body, {
    messageId: job._id,
    headers: { 'x-last-death-queue': 'trivial', 'x-last-death-reason': 'rejected' },
  });
  await channel.waitForConfirms();
  await connection.close();
  const deadLetters = await storedDeadLetters(pipeline, forgeries.length + 1);
  assert.deepEqual(
    deadLetters.map(({ cause }) => cause),
    Array(forgeries.length + 1).fill('forged'),
  );
  assert.ok(
    deadLetters.some(({ body: stored }) =>
      Buffer.from((stored as { buffer: Uint8Array }).buffer).equals(Buffer.from('nonsense')),
    ),
  );
  await eventually(async () => (await pipeline.readyCount('trivial.dead')) === 0, {
    describe: async () => `${await pipeline.readyCount('trivial.dead')} dead letters left`,
  });
  assert.equal((await pipeline.store.jobs.find(job._id))?.state, 'pending');
  assert.deepEqual(pipeline.eventsOf('deadLettered'), []);
});

test('a slow attempt of a forged message does not mark the job as running', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  const opened = Promise.withResolvers<undefined>();
  // Attempts that still wait would keep the process of a failed test alive.
  t.after(() => {
    opened.resolve(undefined);
  });
  const handler = {
    payload: {
      accepts: (value: unknown): value is unknown => value !== undefined,
      fault: () => '',
    },
    run: async () => {
      await opened.promise;
      return { type: 'done' as const, effect: undefined };
    },
    store: () => Promise.resolve(),
  };
  await pipeline.worker({ handlers: new Map([['trivial', handler]]) });
  const [victim, honest] = [await liveJob(pipeline), await liveJob(pipeline)];
  const body = encodeJob({ ...victim, payload: { outcome: 'other' } });
  await publish(publisher, { id: victim._id, body });
  await publish(publisher, { id: honest._id, body: encodeJob(honest) });
  await pipeline.expectState(honest, 'running');
  opened.resolve(undefined);
  await pipeline.expectState(honest, 'done');
  assert.deepEqual((await pipeline.store.jobs.find(victim._id))?.stateAt, victim.stateAt);
});
