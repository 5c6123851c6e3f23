/** Goal: a job that is rejected for good keeps what its last attempt says. Method: record and dead letter of a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePayload } from '@fit/jobs';
import { DeadLetterStore, JobStore } from '@fit/jobs/store';
import { eventually } from '@fit/stack/testing';
import { describeDeath } from '@fit/topology';
import { connect } from 'amqplib';
import Type from 'typebox';
import { KIND, pendingJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';

test('record and dead letter of one failure have the same class, message and fingerprint', async (t) => {
  const thrown: unknown[] = ['user 7 is unknown', undefined, new RangeError('x'.repeat(900))];
  const pipeline = await JobPipeline.open(t);
  const connection = await connect(pipeline.amqpUrl);
  // The virtual host is deleted first, which ends the connection.
  connection.on('error', () => undefined);
  t.after(() => connection.close().catch(() => undefined));
  const channel = await connection.createChannel();
  const errors = thrown.values();
  await pipeline.worker({
    handlers: new Map([
      [
        'trivial',
        {
          payload: compilePayload(Type.Object({})),
          run: () => ({ type: 'reject', error: errors.next().value }),
          store: () => Promise.resolve(),
        },
      ],
    ]),
  });
  for (const error of thrown) {
    const job = pendingJob();
    await pipeline.submit([job]);
    const record = await pipeline.expectState(job, 'dead');
    const recorded = record.attempts?.at(-1)?.error;
    const letter = await eventually(() => channel.get('trivial.dead', { noAck: true }), {
      describe: () => `no dead letter for ${String(error)}`,
    });
    const { routingKey } = letter.fields;
    const described = describeDeath(KIND, routingKey, letter.properties.headers ?? {});
    assert.deepEqual(
      [recorded?.class, recorded?.message, recorded?.fingerprint],
      [described.errorClass, described.message, described.fingerprint],
    );
    assert.equal(record.death?.fingerprint, described.fingerprint);
  }
});

/** Writes nothing before the promise resolves. */
class HeldStore extends JobStore {
  readonly #until: Promise<unknown>;

  constructor(database: ConstructorParameters<typeof JobStore>[0], until: Promise<unknown>) {
    super(database);
    this.#until = until;
  }

  override async change(...change: Parameters<JobStore['change']>): Promise<number> {
    await this.#until;
    return await super.change(...change);
  }
}

/** Calls back once a batch of dead letters is recorded: the recorder stores those without a record last, also where it has none. */
class WatchedDeadLetters extends DeadLetterStore {
  readonly #onStored: () => void;

  constructor(database: ConstructorParameters<typeof DeadLetterStore>[0], onStored: () => void) {
    super(database);
    this.#onStored = onStored;
  }

  override async store(
    ...stored: Parameters<DeadLetterStore['store']>
  ): ReturnType<DeadLetterStore['store']> {
    const ids = await super.store(...stored);
    this.#onStored();
    return ids;
  }
}

test('a dead letter that is recorded before its attempt is settled takes nothing from the record', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const { database } = pipeline.store;
  const recorded = Promise.withResolvers<undefined>();
  await pipeline.startRecorder({
    stores: {
      ...pipeline.store,
      deadLetters: new WatchedDeadLetters(database, () => {
        recorded.resolve(undefined);
      }),
    },
  });
  await pipeline.worker({
    stores: { ...pipeline.store, jobs: new HeldStore(database, recorded.promise) },
  });
  const job = pendingJob('reject');
  await pipeline.submit([job]);
  const record = await pipeline.expectState(job, 'dead');
  assert.equal(record.attemptCount, 1);
  assert.deepEqual(
    record.attempts?.map(({ number, outcome, error }) => [number, outcome, error?.message]),
    [[1, 'reject', 'never']],
  );
  assert.deepEqual([record.death?.cause, record.death?.reason], ['fatal', 'never']);
  assert.equal(await pipeline.store.raw('deadLetters').countDocuments(), 0);
  assert.equal(
    pipeline.eventsOf('deadLettered').reduce((sum, { count }) => sum + count, 0),
    1,
  );
});
