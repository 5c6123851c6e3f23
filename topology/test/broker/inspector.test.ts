/** Goal: a question about a queue has an answer or an error in time. Method: a proxy that holds the broker's replies back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testBroker } from '@fit/stack/testing';
import { Inspector, openTopologyAdmin } from '@fit/topology/amqp';
import { openProxy } from '../support/openProxy.ts';

test('a depth is an error where the broker does not answer within the timeout, and is known again afterwards', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const admin = await openTopologyAdmin(amqpUrl);
  t.after(() => admin.close());
  await admin.declareQueue({ name: 'one', arguments: { 'x-queue-type': 'quorum' } });
  const proxy = await openProxy(t, amqpUrl);
  const inspector = await Inspector.open({
    url: proxy.url,
    label: 'test inspects',
    timeoutMs: 200,
  });
  t.after(() => inspector.close());
  proxy.holdReplies();
  await assert.rejects(inspector.depthOf('one'), /no answer about queue 'one' within 200 ms/);
  proxy.release();
  const patient = await Inspector.open({ url: proxy.url, label: 'test inspects' });
  t.after(() => patient.close());
  assert.deepEqual(await patient.depthOf('one'), { readyCount: 0, consumerCount: 0 });
});
