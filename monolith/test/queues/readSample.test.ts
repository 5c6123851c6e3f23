/** Goal: both ways to the broker tell the same depth, and neither minds a queue that is missing. Method: a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, testBroker } from '@fit/stack/testing';
import { openSession } from '@fit/topology/amqp';
import { openSampleReader } from '../../src/queues/readSample.ts';

test('three messages, by the management API and by AMQP alone', async (t) => {
  const { amqpUrl, managementUrl } = await testBroker({
    after: (undo) => {
      t.after(undo);
    },
  });
  const session = await openSession({
    url: amqpUrl,
    label: 'sampler test',
    setup: async (model) => {
      const channel = await model.createConfirmChannel();
      await channel.assertQueue('full', { durable: true, arguments: { 'x-max-length': 50 } });
      for (let count = 0; count < 3; count += 1) channel.sendToQueue('full', Buffer.from('x'));
      await channel.waitForConfirms();
    },
  });
  t.after(() => session.close());
  const queueNames = ['missing', 'full'];

  const byAmqp = openSampleReader({ amqpUrl, managementUrl: undefined, queueNames });
  t.after(() => byAmqp.close());
  const sample = await byAmqp.read();
  assert.equal(sample.source, 'amqp');
  assert.deepEqual([...sample.queues], [['full', { ready: 3, consumers: 0 }]]);

  const byApi = openSampleReader({ amqpUrl, managementUrl, queueNames });
  t.after(() => byApi.close());
  // The broker counts for its API every five seconds.
  const full = await eventually(
    async () => {
      const reading = (await byApi.read()).queues.get('full');
      return reading?.ready === 3 && reading;
    },
    { deadlineMs: 20_000, describe: async () => JSON.stringify([...(await byApi.read()).queues]) },
  );
  assert.deepEqual([full.unacked, full.held, full.limitInForce], [0, 0, 50]);

  const [wrong] = [openSampleReader({ amqpUrl, managementUrl: 'http://127.0.0.1:1', queueNames })];
  t.after(() => wrong.close());
  assert.equal((await wrong.read()).source, 'amqp', 'the API is away, and AMQP answers');
});
