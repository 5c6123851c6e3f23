/** Goal: each publish ends in what the broker did with it. Method: real queues: bound, unbound, full, cut off. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import type { Delivery, OutgoingMessage, PublishEnd, Publisher } from '@fit/topology/amqp';
import { openProxy } from '../support/openProxy.ts';
import { TestTopology } from '../support/testTopology.ts';

async function expectReady(publisher: Publisher): Promise<void> {
  await eventually(() => publisher.isReady, { describe: () => 'the publisher is not back' });
}

test('confirmed: in the queue, persistent, with own headers only', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const headers = { own: 'yes', count: 2, 'x-death': 'no', CC: 'no', BCC: 'no', 'X-Delay': 1 };
  assert.equal(await publisher.publish(environment.message('a', { headers })), 'confirmed');
  const deliveries: Delivery[] = [];
  await environment.consumer((delivery) => {
    deliveries.push(delivery);
    delivery.ack();
  });
  const [delivery] = await eventually(() => deliveries.length > 0 && deliveries, {
    describe: () => 'nothing was delivered',
  });
  assert.equal(delivery?.messageId, 'a');
  assert.equal(delivery.body.toString(), 'a');
  assert.equal(delivery.routingKey, 'job.one');
  assert.deepEqual({ ...delivery.headers }, { own: 'yes', count: 2 });
});

test('returned: no queue is bound to the key', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const results = await Promise.all([
    publisher.publish(environment.message('a', { key: 'job.other' })),
    publisher.publish(environment.message('b')),
    publisher.publish(environment.message('c', { key: '' })),
    // The same id again, bound this time: an old return must not stick to it.
    publisher.publish(environment.message('a')),
  ]);
  assert.deepEqual(results, ['returned', 'confirmed', 'returned', 'confirmed']);
  await environment.expectReady('one', 2);
});

test('returned: of messages with one id only those that no queue got, whatever the order of their confirms', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const keys = Array.from({ length: 5_000 }, (_, index) =>
    index % 3 === 1 ? 'job.other' : index % 3 === 2 ? 'job.none' : 'job.one',
  );
  const results = await Promise.all(
    keys.map((key) => publisher.publish(environment.message('same', { key }))),
  );
  assert.deepEqual(
    results,
    keys.map((key) => (key === 'job.one' ? 'confirmed' : 'returned')),
  );
});

test('nacked: the queue is full, and what it refused is not in it', async (t) => {
  const one = { key: 'job.one', queue: 'one', tiers: [100], maxLength: 3 };
  const environment = await TestTopology.open(
    t,
    declareTopology({ exchange: 'jobs', kinds: { one } }),
  );
  const publisher = await environment.publisher();
  const results: string[] = [];
  for (let index = 0; index < 20; index += 1)
    results.push(await publisher.publish(environment.message(`m${index}`)));
  const confirmed = results.filter((result) => result === 'confirmed').length;
  assert.ok(confirmed >= 3 && confirmed <= 10, `${confirmed} confirmed at a limit of 3`);
  assert.deepEqual(new Set(results.slice(confirmed)), new Set(['nacked']));
  await environment.expectReady('one', confirmed);
  await environment.expectEmpty(['one']);
});

test('unsendable: what cannot be encoded is not sent, ends nothing, and makes room for the next', async (t) => {
  const environment = await TestTopology.open(t);
  const ends: PublishEnd[] = [];
  const publisher = await environment.publisher({
    maxUnconfirmed: 1,
    onPublish: (end) => ends.push(end),
  });
  const unsendable: Partial<OutgoingMessage>[] = [
    { id: 'i'.repeat(256) },
    { key: 'k'.repeat(256) },
    { headers: { ['h'.repeat(256)]: 1 } },
    { headers: { large: 'x'.repeat(100_000) } },
    { headers: { count: -(2 ** 70) } },
    { headers: { count: Number.NaN } },
    { headers: { count: Number.POSITIVE_INFINITY } },
    { body: 'no buffer' as never },
  ];
  const results = await Promise.all([
    publisher.publish(environment.message('first')),
    ...unsendable.map((change) => publisher.publish(environment.message('bad', change))),
    publisher.publish(environment.message('last')),
  ]);
  assert.deepEqual(results, ['confirmed', ...unsendable.map(() => 'unsendable'), 'confirmed']);
  assert.deepEqual(
    ends.map(({ outcome }) => outcome),
    results,
  );
  assert.equal(publisher.pendingCount, 0);
  await environment.expectReady('one', 2);
});

test('what is published together arrives in its order as it is, whatever its texts and sizes', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const texts = ['', 'a', 'ä€😀', 'a'.repeat(99), 'a'.repeat(100), `${'a'.repeat(150)}ä`];
  const sizes = [0, 1, 4_096, 65_000, 70_000, 200_000];
  const messages = Array.from({ length: 300 }, (_, index): OutgoingMessage => {
    const text = texts[index % texts.length] ?? '';
    const size = (index % 7 === 0 ? sizes[(index / 7) % sizes.length] : undefined) ?? 300;
    return environment.message(`${index}:${text}`, {
      type: index % 5 === 0 ? undefined : `t${text}`,
      body: Buffer.alloc(size, index),
      priority: 5,
      // Numbers, and what is too large, are encoded by amqplib.
      headers: index % 11 === 0 ? { [`h${index}`]: index } : { [`h${text}`]: text, empty: '' },
    });
  });
  const results = await Promise.all(messages.map((message) => publisher.publish(message)));
  assert.deepEqual(new Set(results), new Set(['confirmed']));
  const deliveries: Delivery[] = [];
  await environment.consumer((delivery) => deliveries.push(delivery), { prefetchCount: 300 });
  await eventually(() => deliveries.length === messages.length, {
    describe: () => `${deliveries.length} arrived`,
  });
  for (const [index, message] of messages.entries()) {
    const delivery = deliveries[index];
    assert.deepEqual(
      [delivery?.messageId, delivery?.type, delivery?.priority, { ...delivery?.headers }],
      [message.id, message.type, message.priority, message.headers],
    );
    assert.ok(delivery?.body.equals(message.body), `the body of ${message.id} is another one`);
  }
});

test('unknown: the connection broke before the confirm; then it comes back', async (t) => {
  const environment = await TestTopology.open(t);
  const proxy = await openProxy(t, environment.amqpUrl);
  const publisher = await environment.publisher({ url: proxy.url });
  proxy.holdReplies();
  const results = environment.publishAll(publisher, 20);
  await environment.expectReady('one', 20);
  proxy.cut();
  assert.deepEqual(new Set(await results), new Set(['unknown']));
  assert.equal(publisher.isReady, false);
  assert.equal(await publisher.publish(environment.message('meanwhile')), 'unknown');
  await expectReady(publisher);
  assert.equal(await publisher.publish(environment.message('again')), 'confirmed');
  assert.equal(publisher.pendingCount, 0);
});

test('returned: an exchange that does not exist drops no message of others', async (t) => {
  const environment = await TestTopology.open(t);
  const events: string[] = [];
  const publisher = await environment.publisher({ onEvent: ({ type }) => events.push(type) });
  const results = await Promise.all([
    publisher.publish(environment.message('a', { exchange: 'no.such.exchange' })),
    ...Array.from({ length: 5 }, (_, index) => publisher.publish(environment.message(`m${index}`))),
  ]);
  assert.deepEqual(results, ['returned', ...Array.from({ length: 5 }, () => 'confirmed')]);
  assert.deepEqual(events, ['connected']);
});

test('unknown: a channel that the broker closes is no nack, and another is opened on the same connection', async (t) => {
  const environment = await TestTopology.open(t);
  const events: string[] = [];
  const publisher = await environment.publisher({ onEvent: ({ type }) => events.push(type) });
  await (await environment.adminChannel()).deleteExchange(environment.declaration.exchange);
  const results = await Promise.all(
    Array.from({ length: 5 }, (_, index) => publisher.publish(environment.message(`m${index}`))),
  );
  assert.deepEqual(new Set(results), new Set(['unknown']));
  await expectReady(publisher);
  assert.equal(await publisher.publish(environment.message('again')), 'confirmed');
  assert.deepEqual(events, ['connected', 'channelFailed']);
});

test('a late confirm counts as unknown after its time, and its own arrival changes nothing', async (t) => {
  const environment = await TestTopology.open(t);
  const proxy = await openProxy(t, environment.amqpUrl);
  // Also the time of the confirm that must come.
  const publisher = await environment.publisher({ url: proxy.url, confirmTimeoutMs: 3_000 });
  proxy.holdReplies();
  assert.equal(await publisher.publish(environment.message('late')), 'unknown');
  await environment.expectReady('one', 1);
  proxy.release();
  assert.equal(await publisher.publish(environment.message('next')), 'confirmed');
  assert.equal(publisher.pendingCount, 0);
});

test('without a time limit a late confirm is awaited while the connection lives, and no longer', async (t) => {
  const environment = await TestTopology.open(t);
  const proxy = await openProxy(t, environment.amqpUrl);
  const patient = await environment.publisher({ url: proxy.url, confirmTimeoutMs: Infinity });
  const hasty = await environment.publisher({ url: proxy.url, confirmTimeoutMs: 300 });
  proxy.holdReplies();
  const late = patient.publish(environment.message('late'));
  // The time limit of the other publisher has passed when this one is asked.
  assert.equal(await hasty.publish(environment.message('hasty')), 'unknown');
  assert.equal(patient.pendingCount, 1);
  proxy.release();
  assert.equal(await late, 'confirmed');
  proxy.holdReplies();
  const cut = patient.publish(environment.message('cut'));
  await environment.expectReady('one', 3);
  proxy.cut();
  assert.equal(await cut, 'unknown');
});

test('1,000 publishes pass a window of 10, and all arrive', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher({ maxUnconfirmed: 10 });
  let most = 0;
  const watch = () => (most = Math.max(most, publisher.pendingCount));
  const chain = async (name: string) => {
    for (let index = 0; index < 50; index += 1) {
      const published = publisher.publish(environment.message(`${name}-${index}`));
      watch();
      assert.equal(await published, 'confirmed');
      watch();
    }
  };
  const chains = Promise.all(Array.from({ length: 20 }, (_, index) => chain(`c${index}`)));
  assert.equal(publisher.waitingCount, 10);
  await chains;
  assert.equal(most, 10);
  assert.deepEqual([publisher.pendingCount, publisher.waitingCount], [0, 0]);
  await environment.expectReady('one', 1_000);
});

test('closing settles what waits, inside the window and before it', async (t) => {
  const environment = await TestTopology.open(t);
  const proxy = await openProxy(t, environment.amqpUrl);
  const publisher = await environment.publisher({ url: proxy.url, maxUnconfirmed: 5 });
  proxy.holdReplies();
  const results = environment.publishAll(publisher, 50);
  await environment.expectReady('one', 5);
  const closed = publisher.close();
  proxy.release();
  await closed;
  const settled = await results;
  assert.equal(settled.length, 50);
  // The five sent ones may still be confirmed on the way out; nothing else can be.
  assert.deepEqual(new Set(settled.slice(5)), new Set(['unknown']));
});

test('each publish is reported once, with its outcome and duration', async (t) => {
  const environment = await TestTopology.open(t);
  const proxy = await openProxy(t, environment.amqpUrl);
  const ends: PublishEnd[] = [];
  const options = { url: proxy.url, onPublish: (end: PublishEnd) => ends.push(end) };
  const publisher = await environment.publisher(options);
  // Its time is for the one that shall run out: a busy machine may be late with the others.
  const hasty = await environment.publisher({ ...options, confirmTimeoutMs: 300 });
  await publisher.publish(environment.message('a'));
  await publisher.publish(environment.message('b', { key: 'job.other' }));
  proxy.holdReplies();
  await hasty.publish(environment.message('late'));
  const cut = publisher.publish(environment.message('cut'));
  proxy.cut();
  await cut;
  await publisher.publish(environment.message('meanwhile'));
  assert.deepEqual(
    ends.map(({ exchange, key, outcome }) => [exchange, key, outcome]),
    [
      ['jobs', 'job.one', 'confirmed'],
      ['jobs', 'job.other', 'returned'],
      ['jobs', 'job.one', 'timeout'],
      ['jobs', 'job.one', 'error'],
      ['jobs', 'job.one', 'error'],
    ],
  );
  assert.ok(ends.every(({ durationMs }) => durationMs >= 0));
  const late = ends[2]?.durationMs ?? 0;
  assert.ok(late >= 300, `given up after ${late} ms`);
});
