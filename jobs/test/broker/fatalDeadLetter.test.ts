/** Goal: a job that is rejected for good keeps what its last attempt says. Method: record and dead letter of a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePayload } from '@fit/jobs';
import { eventually } from '@fit/stack/testing';
import { describeDeath } from '@fit/topology';
import { connect } from 'amqplib';
import Type from 'typebox';
import { KIND, pendingJob } from '../support/fakes.ts';
import { JobPipeline } from '../support/jobPipeline.ts';

test('record and dead letter of one failure have the same class, message and fingerprint', async (t) => {
  const thrown: unknown[] = ['user 7 is unknown', undefined, new RangeError('x'.repeat(900))];
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
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
    await pipeline.submit(publisher, [job]);
    const record = await pipeline.expectState(job, 'dead');
    const recorded = record.attempts.at(-1)?.error;
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
