/** Goal: what the broker takes away is consumed again, with one effect. Method: a broker with a short ack timeout. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import type { Delivery } from '@fit/topology/amqp';
import { brokerFacts } from '../support/brokerFacts.ts';
import { TestTopology } from '../support/testTopology.ts';
import { useOwnBroker } from './ownBroker.ts';

/** Counted from the moment when the broker reports the loss, or when the queue exists again. */
const BACK_WITHIN_MS = 2_000;
const ACK_TIMEOUT_DEADLINE_MS = 30_000;

useOwnBroker({ consumer_timeout: 3_000, channel_tick_interval: 1_000 });

test('never settled in time: taken back, consumed again, the late answers do nothing, one effect', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const held: Delivery[] = [];
  const events: string[] = [];
  let [lostAtMs, backAtMs] = [0, 0];
  const consumer = await environment.consumer(
    (delivery) => {
      held.push(delivery);
      if (held.length === 2) backAtMs = performance.now();
    },
    { prefetchCount: 1, onEvent: ({ type }) => events.push(type) },
  );
  await publisher.publish(environment.message('stuck'));
  await eventually(() => held.length === 1, { describe: () => 'not delivered' });
  await eventually(() => !held[0]!.isCurrent, {
    deadlineMs: ACK_TIMEOUT_DEADLINE_MS,
    describe: () => 'still current',
  });
  lostAtMs = performance.now();
  for (const settle of ['ack', 'nackToDeadLetterExchange', 'requeue'] as const) held[0]![settle]();
  await eventually(() => held.length === 2, { describe: () => 'not delivered again' });
  const [late, again] = held as [Delivery, Delivery];
  assert.deepEqual([again.messageId, again.isRedelivered, again.isCurrent], ['stuck', true, true]);
  // On the new channel the old one's tag would be this one's, or nobody's: an ack too many, or a closed channel.
  late.ack();
  assert.equal(consumer.unsettledCount, 1);
  again.ack();
  again.ack();
  await publisher.publish(environment.message('next'));
  await eventually(() => held.length === 3, { describe: () => 'it consumes no more' });
  assert.equal(held[2]?.messageId, 'next');
  held[2].ack();
  await consumer.close();
  await environment.expectEmpty();
  const { ackTimeoutEnds, series } = await brokerFacts();
  t.diagnostic(`${series}: ${events.join(', ')}; back after ${Math.round(backAtMs - lostAtMs)} ms`);
  assert.ok(!events.includes('disconnected'), 'only the channel was lost');
  assert.equal(events.includes('channelFailed'), ackTimeoutEnds === 'channel');
  assert.ok(backAtMs - lostAtMs < BACK_WITHIN_MS, `${backAtMs - lostAtMs} ms`);
});

test('a queue that is deleted during an attempt is declared and consumed again, and settling the earlier delivery does nothing', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const held: Delivery[] = [];
  const consumer = await environment.consumer((delivery) => held.push(delivery), {
    prefetchCount: 1,
  });
  await publisher.publish(environment.message('gone'));
  await eventually(() => held.length === 1, { describe: () => 'not delivered' });
  await environment.ask('DELETE', `/api/queues/${environment.vhost}/one`);
  const deletedAtMs = performance.now();
  // Returned until the consumer has declared it; then it is there, and so must the consumer be.
  await eventually(
    async () => (await publisher.publish(environment.message('new'))) === 'confirmed',
    {
      describe: () => `not declared again; consumer up: ${String(consumer.isUp)}`,
    },
  );
  const declaredAtMs = performance.now();
  await eventually(() => held.length === 2, { describe: () => 'not consumed' });
  const backAtMs = performance.now();
  assert.equal(held[1]?.messageId, 'new');
  held[0]?.ack();
  assert.equal(consumer.unsettledCount, 1);
  held[1].ack();
  await consumer.close();
  await environment.expectEmpty();
  assert.equal(held.length, 2);
  const [declaredMs, consumedMs] = [declaredAtMs - deletedAtMs, backAtMs - declaredAtMs];
  t.diagnostic(
    `declared after ${Math.round(declaredMs)} ms, consumed ${Math.round(consumedMs)} ms later`,
  );
  assert.ok(consumedMs < BACK_WITHIN_MS, `${consumedMs} ms`);
});
