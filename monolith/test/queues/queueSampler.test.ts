/**
 * Goal: samples are right by either source, and the last ones stay, with their age, when no source answers. Method: a
 * reader by hand, and a real broker.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually, testBroker } from '@fit/stack/testing';
import { createConnection } from '@fit/topology';
import { openTopologyAdmin, Publisher } from '@fit/topology/amqp';
import { openSampleReader, type QueueSample, QueueSampler } from '../../src/queues/queueSampler.ts';

/** Nothing listens there. */
const UNREACHABLE = 'amqp://guest:guest@127.0.0.1:1';

function sampling(t: TestContext, read: () => Promise<QueueSample>, intervalMs: number) {
  const sampler = new QueueSampler({ read }, intervalMs);
  t.after(() => {
    sampler.stop();
  });
  return sampler;
}

const sample: QueueSample = {
  source: 'management',
  queues: new Map([['q', { ready: 7, consumers: 1 }]]),
};

test('when the broker goes away, the last samples stay and the freshness says why', async (t) => {
  let isUp = true;
  const read = () => (isUp ? Promise.resolve(sample) : Promise.reject(new Error('away')));
  const sampler = sampling(t, read, 10);
  await eventually(() => sampler.samples.length > 1, { describe: () => 'nothing sampled' });
  isUp = false;
  await eventually(() => sampler.freshness(new Date()).reason === 'away', {
    describe: () => JSON.stringify(sampler.freshness(new Date())),
  });
  assert.equal(sampler.samples.at(-1)?.queues.get('q')?.ready, 7);
  assert.equal(sampler.freshness(new Date(Date.now() + 20_000)).isStale, true);
});

test('the sampler keeps the samples of one minute', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1_795_000_000_000 });
  const sampler = sampling(t, () => Promise.resolve(sample), 5_000);
  for (let count = 0; count < 30; count += 1) {
    await new Promise(setImmediate);
    t.mock.timers.tick(5_000);
  }
  await new Promise(setImmediate);
  assert.equal(sampler.samples.length, 12);
});

test('when both sources fail, the error names the management API', async () => {
  const managementUrl = 'http://guest:guest@127.0.0.1:1';
  const depthOf = () => Promise.reject(new Error('away'));
  const reader = openSampleReader({
    amqpUrl: UNREACHABLE,
    managementUrl,
    queueNames: ['q'],
    depthOf,
  });
  await assert.rejects(reader.read(), /management API at 127\.0\.0\.1:1 did not answer/);
});

test('AMQP and the management API report the same depth, and a missing queue has no entry', async (t) => {
  const { amqpUrl, managementUrl } = await testBroker({
    after: (undo) => {
      t.after(undo);
    },
  });
  const admin = await openTopologyAdmin(amqpUrl, 'sampler test');
  t.after(() => admin.close());
  await admin.declareQueue({ name: 'full', arguments: { 'x-max-length': 50 } });
  const publisher = await Publisher.open({
    url: amqpUrl,
    label: 'sampler test',
    prepare: () => Promise.resolve(),
  });
  t.after(() => publisher.close());
  for (const id of ['1', '2', '3']) {
    const message = { exchange: '', key: 'full', id, body: Buffer.from('x') };
    assert.equal(await publisher.publish(message), 'confirmed');
  }
  const queueNames = ['missing', 'full'];

  const connection = await createConnection({ url: amqpUrl, logger: false });
  t.after(() => connection.close());
  const depthOf = async (queue: string) => await connection.depthOf(queue);
  const byAmqp = openSampleReader({ amqpUrl, managementUrl: undefined, queueNames, depthOf });
  const sample = await byAmqp.read();
  assert.equal(sample.source, 'amqp');
  assert.deepEqual([...sample.queues], [['full', { ready: 3, consumers: 0 }]]);

  const byApi = openSampleReader({ amqpUrl, managementUrl, queueNames, depthOf });
  // The broker renews the counts of its API every five seconds.
  const full = await eventually(
    async () => {
      const reading = (await byApi.read()).queues.get('full');
      // AMQP knows it at once.
      assert.ok(reading === undefined || reading.readyNow === 3);
      return reading?.ready === 3 && reading;
    },
    { deadlineMs: 20_000, describe: async () => JSON.stringify([...(await byApi.read()).queues]) },
  );
  assert.deepEqual([full.unacked, full.awaitingTransfer, full.limitInForce], [0, 0, 50]);

  const byFallback = openSampleReader({
    amqpUrl,
    managementUrl: 'http://127.0.0.1:1',
    queueNames,
    depthOf,
  });
  assert.equal((await byFallback.read()).source, 'amqp', 'AMQP answers where the API does not');
});
