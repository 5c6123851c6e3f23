/** Goal: what the sampler last saw stands, with its age, when nobody answers. Method: a reader by hand, and no broker. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { QueueSampler } from '../../src/queues/queueSampler.ts';
import { openSampleReader, type QueueSample } from '../../src/queues/readSample.ts';

const NOBODY = 'amqp://guest:guest@127.0.0.1:1';

function sampling(t: TestContext, read: () => Promise<QueueSample>, intervalMs: number) {
  const reader = { read, close: () => Promise.resolve() };
  const sampler = new QueueSampler(reader, intervalMs);
  t.after(() => sampler.stop());
  return sampler;
}

const sample: QueueSample = {
  source: 'management',
  queues: new Map([['q', { ready: 7, consumers: 1 }]]),
};

test('the broker goes away: the last values stand, and the reason is told', async (t) => {
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

test('a minute is kept, and no more', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1_795_000_000_000 });
  const sampler = sampling(t, () => Promise.resolve(sample), 5_000);
  for (let count = 0; count < 30; count += 1) {
    await new Promise(setImmediate);
    t.mock.timers.tick(5_000);
  }
  await new Promise(setImmediate);
  assert.equal(sampler.samples.length, 12);
});

test('neither way leads to an answer: the reader says which one was asked', async (t) => {
  const managementUrl = 'http://guest:guest@127.0.0.1:1';
  const reader = openSampleReader({ amqpUrl: NOBODY, managementUrl, queueNames: ['q'] });
  t.after(() => reader.close());
  await assert.rejects(reader.read(), /management API at 127\.0\.0\.1:1 did not answer/);
});
