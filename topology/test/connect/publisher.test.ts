/** Goal: a publish says what became of it, and nothing wrong is sent. Method: real queues: bound, unbound, full, cut off. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually, testBroker } from '@fit/stack/testing';
import {
  createConnection,
  createPublisher,
  createWorker,
  defineTopology,
  PublishError,
  retry,
  type TopologyEvent,
} from '@fit/topology';
import { z } from 'zod';
import { brokerFacts } from '../support/brokerFacts.ts';
import { openProxy } from '../support/openProxy.ts';
import { readDeadLetters } from '../support/readDeadLetters.ts';

const TOPOLOGY = defineTopology({
  exchange: 'shop',
  messages: {
    ordered: z.object({ id: z.string(), count: z.number().default(1) }),
    paid: z.string().refine(async (text) => (await Promise.resolve(text)) !== 'bad', 'is bad'),
  },
  queues: {
    orders: { on: ['ordered'], retry: { delays: ['50ms'] }, maxLength: 3 },
    payments: { on: ['paid', 'ordered'], retry: { delays: ['50ms'] } },
  },
});

async function open(t: TestContext, change: { window?: number } = {}) {
  const { amqpUrl } = await testBroker(t);
  const proxy = await openProxy(t, amqpUrl);
  const events: TopologyEvent[] = [];
  const connection = await createConnection({
    url: proxy.url,
    logger: false,
    hooks: { onEvent: (event) => events.push(event) },
  });
  t.after(() => connection.close({ deadline: 0 }));
  const publisher = await createPublisher({ connection, topology: TOPOLOGY, ...change });
  return { amqpUrl, proxy, connection, publisher, events };
}

async function failure(publishing: Promise<unknown>): Promise<[string, boolean]> {
  const error = await publishing.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof PublishError, String(error));
  return [error.code, error.mayHaveArrived];
}

test('confirmed: with its name, id, headers, and the body as it was given', async (t) => {
  const { amqpUrl, publisher, events } = await open(t);
  const { id } = await publisher.publish(
    'ordered',
    { id: 'a' },
    { id: 'one', headers: { own: 1 } },
  );
  assert.equal(id, 'one');
  const [message] = await readDeadLetters(amqpUrl, 'payments', 1);
  const { headers, ...rest } = message!;
  assert.deepEqual(rest, {
    id: 'one',
    type: 'ordered',
    key: 'ordered',
    body: Buffer.from('{"id":"a"}'),
  });
  assert.deepEqual({ ...headers }, { own: 1 });
  assert.ok(events.some((event) => event.type === 'published' && event.result === 'confirmed'));
});

test('INVALID: nothing wrong is sent, whatever is wrong, and the next one is', async (t) => {
  const { publisher } = await open(t);
  const wrong = [
    // @ts-expect-error: id is missing
    () => publisher.publish('ordered', {}),
    () => publisher.publish('paid', 'bad'),
    // @ts-expect-error: no such message
    () => publisher.publish('order', { id: 'a' }),
    () => publisher.publish('toString' as never, undefined as never),
    // @ts-expect-error: misspelt option
    () => publisher.publish('ordered', { id: 'a' }, { header: {} }),
    () => publisher.publish('ordered', { id: 'a' }, { id: 'i'.repeat(300) }),
    () => publisher.publish('ordered', { id: 'a' }, { timeout: 'soon' as never }),
  ];
  for (const [index, publish] of wrong.entries())
    assert.deepEqual(await failure(publish()), ['INVALID', false], `case ${index}`);
  const { id, error } = await publisher.tryPublish('paid', 'bad', { id: 'known' });
  assert.deepEqual([id, error?.code, error?.id], ['known', 'INVALID', 'known']);
  assert.match(error?.message ?? '', /body of 'paid' is invalid: is bad/);
  await publisher.publish('paid', 'good');
});

test('QUEUE_FULL: another queue of the message may have it', async (t) => {
  const { publisher } = await open(t);
  const reports = [];
  for (let index = 0; index < 15; index += 1)
    reports.push(await publisher.tryPublish('ordered', { id: `${index}` }));
  const last = reports.at(-1)?.error;
  assert.deepEqual([last?.code, last?.mayHaveArrived], ['QUEUE_FULL', true]);
});

test('TIMEOUT and CONNECTION_LOST: whether it may have arrived depends on whether it was sent', async (t) => {
  const { publisher, proxy, connection } = await open(t, { window: 1 });
  proxy.holdReplies();
  const sent = failure(publisher.publish('paid', 'a', { timeout: '200ms' }));
  const waits = failure(publisher.publish('paid', 'b', { timeout: '100ms' }));
  assert.deepEqual(await waits, ['TIMEOUT', false]);
  assert.deepEqual(await sent, ['TIMEOUT', true]);
  const controller = new AbortController();
  const aborted = failure(publisher.publish('paid', 'c', { signal: controller.signal }));
  controller.abort();
  assert.deepEqual(await aborted, ['CLOSED', false]);
  proxy.release();
  await publisher.publish('paid', 'd');
  proxy.holdReplies();
  const lost = failure(publisher.publish('paid', 'e'));
  // It waits for room, and then for the next connection.
  const later = publisher.publish('paid', 'f');
  proxy.cut();
  assert.deepEqual(await lost, ['CONNECTION_LOST', true]);
  await later;
  await eventually(() => connection.isUp, { describe: () => 'still down' });
});

test('a deleted exchange is declared again, and other publishers of the connection lose nothing', async (t) => {
  const { amqpUrl, publisher, connection, events } = await open(t);
  const other = defineTopology({
    exchange: 'other',
    messages: { ping: z.number() },
    queues: { pings: { on: ['ping'], retry: { delays: ['50ms'] } } },
  });
  const pinger = await createPublisher({ connection, topology: other });
  const admin = await createConnection({ url: amqpUrl, logger: false });
  t.after(() => admin.close());
  const { openTopologyAdmin } = await import('@fit/topology/amqp');
  const operator = await openTopologyAdmin(amqpUrl);
  await operator.deleteExchange('shop');
  await operator.close();
  const [lost, pinged] = await Promise.allSettled([
    publisher.publish('paid', 'a'),
    pinger.publish('ping', 1),
  ]);
  assert.equal(pinged.status, 'fulfilled');
  assert.equal(lost.status, 'rejected');
  await publisher.publish('paid', 'b');
  assert.ok(!events.some(({ type }) => type === 'disconnected'));
});

test('hooks wrap each publish, and what they throw or add is seen', async (t) => {
  const { amqpUrl, connection } = await open(t);
  const order: string[] = [];
  const publisher = await createPublisher({
    connection,
    topology: TOPOLOGY,
    hooks: {
      aroundPublish: async ({ type, headers }, run) => {
        order.push(`begin ${type}`);
        headers['traceparent'] = '00-1-2-01';
        const result = await run();
        order.push('end');
        return result;
      },
    },
  });
  await publisher.publish('paid', 'a');
  assert.deepEqual(order, ['begin paid', 'end']);
  const [message] = await readDeadLetters(amqpUrl, 'payments', 1);
  assert.equal(message?.headers['traceparent'], '00-1-2-01');
});

test('a delayed message is delivered after its delay, and is retried as any other', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const topology = defineTopology({
    exchange: 'later',
    messages: { remind: z.string() },
    queues: { reminders: { on: ['remind'], retry: { delays: ['50ms'] } } },
    delays: ['200ms', '1h'],
  });
  const connection = await createConnection({ url: amqpUrl, logger: false });
  t.after(() => connection.close({ deadline: 0 }));
  if (!(await brokerFacts()).delaysFirstDelivery) {
    await assert.rejects(createPublisher({ connection, topology }), /DELAY_UNSUPPORTED/);
    return;
  }
  const publisher = await createPublisher({ connection, topology });
  const seen: [string, number, number][] = [];
  const beginMs = performance.now();
  await createWorker({
    connection,
    topology,
    queue: 'reminders',
    handler: ({ type, body, attempt }) => {
      seen.push([`${type} ${body}`, attempt.number, performance.now() - beginMs]);
      return attempt.number === 1 ? retry() : undefined;
    },
  });
  await publisher.publish('remind', 'tea', { delay: '200ms' });
  // @ts-expect-error: no such delay
  assert.deepEqual(await failure(publisher.publish('remind', 'tea', { delay: '2h' })), [
    'INVALID',
    false,
  ]);
  await eventually(() => seen.length === 2, { describe: () => JSON.stringify(seen) });
  assert.deepEqual(
    seen.map(([text, number]) => [text, number]),
    [
      ['remind tea', 1],
      ['remind tea', 2],
    ],
  );
  assert.ok((seen[0]?.[2] ?? 0) >= 199, `delivered after ${seen[0]?.[2]} ms`);
});
