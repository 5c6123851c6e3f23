/** Goal: bounded, settled on the right channel only, and always back. Method: queues deleted, connections cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import type { Delivery } from '@fit/topology/amqp';
import { TestTopology } from '../support/testTopology.ts';

async function received(deliveries: readonly Delivery[], count: number): Promise<void> {
  await eventually(() => deliveries.length >= count, {
    deadlineMs: 15_000,
    describe: () => `${deliveries.length} of ${count} deliveries`,
  });
}

test('the prefetch bounds what is unsettled', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  await environment.publishAll(publisher, 20);
  const held: Delivery[] = [];
  const consumer = await environment.consumer((delivery) => held.push(delivery), {
    prefetchCount: 3,
  });
  await received(held, 3);
  await environment.expectReady('one', 17);
  assert.equal(held.length, 3);
  assert.equal(consumer.unsettledCount, 3);
  held[0]?.ack();
  await received(held, 4);
  await environment.expectReady('one', 16);
  assert.equal(consumer.unsettledCount, 3);
});

test('a prefetch that changes while thousands of messages arrive loses no connection and no message', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const messageCount = 10_000;
  await environment.publishAll(publisher, messageCount);
  const losses: string[] = [];
  const seen = new Map<string, number>();
  let changeCount = 0;
  const consumer = await environment.consumer(
    (delivery) => {
      const id = delivery.messageId!;
      seen.set(id, (seen.get(id) ?? 0) + 1);
      delivery.ack();
      if (seen.size % 100 !== 0) return;
      changeCount += 1;
      // Deliveries are under way when the consumer is cancelled; the broker takes back those that it has not sent.
      consumer.setPrefetch(0);
    },
    {
      prefetchCount: 0,
      onEvent: (event) => {
        if ('error' in event) losses.push(`${event.type}: ${event.error.message}`);
      },
      onChange: (settled) => {
        if (settled === undefined && consumer.isPaused) consumer.setPrefetch(2_000);
      },
    },
  );
  consumer.setPrefetch(2_000);
  await eventually(() => seen.size === messageCount || losses.length > 0, {
    deadlineMs: 60_000,
    describe: () => `${seen.size} of ${messageCount} after ${changeCount} changes`,
  });
  assert.deepEqual(losses, []);
  assert.ok(changeCount >= 100, `${changeCount} changes`);
  assert.deepEqual(
    [...seen].filter(([, count]) => count !== 1),
    [],
  );
  await environment.expectEmpty();
});

test('drain gives back at its deadline what is not settled, and takes nothing new', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  await environment.publishAll(publisher, 20);
  const held: Delivery[] = [];
  const consumer = await environment.consumer((delivery) => held.push(delivery), {
    prefetchCount: 3,
  });
  await received(held, 3);
  await consumer.drain(20);
  assert.equal(consumer.unsettledCount, 0);
  await environment.expectReady('one', 20);
  await publisher.publish(environment.message('new'));
  await environment.expectReady('one', 21);
  assert.equal(held.length, 3);
  await environment.expectEmpty(['one']);
});

test('drain lets running work finish before its deadline', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  await environment.publishAll(publisher, 3);
  const held: Delivery[] = [];
  const consumer = await environment.consumer((delivery) => held.push(delivery), {
    prefetchCount: 3,
  });
  await received(held, 3);
  const drained = consumer.drain(60_000);
  for (const delivery of held) delivery.ack();
  await drained;
  await consumer.close();
  await environment.expectEmpty();
});

test('the queue is deleted under it: declared again, and consuming again', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const seen: Delivery[] = [];
  const consumer = await environment.consumer((delivery) => {
    seen.push(delivery);
    delivery.ack();
  });
  await publisher.publish(environment.message('before'));
  await received(seen, 1);
  await environment.ask('DELETE', `/api/queues/${environment.vhost}/one`);
  await eventually(
    async () => (await publisher.publish(environment.message('after'))) === 'confirmed',
    {
      describe: () => `the queue is not back; consumer up: ${String(consumer.isUp)}`,
    },
  );
  await received(seen, 2);
  assert.equal(seen[1]?.messageId, 'after');
});

test('after a lost connection it consumes again, and settling an earlier delivery does nothing', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const held: Delivery[] = [];
  const events: string[] = [];
  const consumer = await environment.consumer((delivery) => held.push(delivery), {
    onEvent: ({ type }) => events.push(type),
  });
  await publisher.publish(environment.message('a'));
  await received(held, 1);
  await environment.cutConnections('test consumes');
  await eventually(() => held[0]?.isCurrent === false, { describe: () => 'it is still current' });
  for (const settle of ['ack', 'nackToDeadLetterExchange', 'requeue'] as const) held[0]![settle]();
  await received(held, 2);
  const again = held[1]!;
  assert.deepEqual([again.messageId, again.isRedelivered, again.isCurrent], ['a', true, true]);
  // A settle of the old delivery on the new channel would ack this one, or close the channel.
  held[0]?.ack();
  assert.equal(consumer.unsettledCount, 1);
  again.ack();
  again.ack();
  assert.equal(consumer.unsettledCount, 0);
  await publisher.publish(environment.message('b'));
  await received(held, 3);
  held[2]?.ack();
  await consumer.drain(1_000);
  await consumer.close();
  await environment.expectEmpty();
  assert.deepEqual(
    events.filter((type) => type === 'disconnected' || type === 'connected').slice(0, 3),
    ['connected', 'disconnected', 'connected'],
  );
});

test('given back, it comes again to the same queue at the same key', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const seen: Delivery[] = [];
  await environment.consumer((delivery) => {
    seen.push(delivery);
    if (seen.length === 1) delivery.requeue();
    else delivery.ack();
  });
  await publisher.publish(environment.message('a'));
  await received(seen, 2);
  assert.deepEqual(
    seen.map(({ routingKey, isRedelivered }) => [routingKey, isRedelivered]),
    [
      ['job.one', false],
      ['job.one', true],
    ],
  );
  await environment.expectEmpty();
});

test('acks, nacks and requeues of one turn, in any order, end what they name and nothing else', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  await environment.publishAll(publisher, 12);
  const losses: string[] = [];
  const held: Delivery[] = [];
  const consumer = await environment.consumer((delivery) => held.push(delivery), {
    prefetchCount: 12,
    onEvent: (event) => {
      if ('error' in event) losses.push(`${event.type}: ${event.error.message}`);
    },
  });
  await received(held, 12);
  // The first is settled last, so that a first turn has no prefix, and a later one has one with gaps.
  for (const index of [4, 3, 11, 5]) held[index]!.ack();
  held[6]!.nackToDeadLetterExchange();
  await new Promise(setImmediate);
  for (const index of [1, 0, 7, 2]) held[index]!.ack();
  held[8]!.requeue();
  // m8 comes back at once, and m6 when its tier of 100 ms is over.
  await received(held, 14);
  assert.deepEqual(
    held.slice(12).map(({ messageId, routingKey }) => [messageId, routingKey]),
    [
      ['m8', 'job.one'],
      ['m6', 'one.r1'],
    ],
  );
  assert.equal(consumer.unsettledCount, 4);
  await consumer.close();
  assert.deepEqual(losses, []);
  // What was neither acknowledged nor rejected comes back: m8, m9, m10 and m6.
  await environment.expectReady('one', 4);
});
