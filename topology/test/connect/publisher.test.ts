/** Goal: a publish says what became of it, and nothing wrong is sent. Method: real queues: bound, unbound, full, cut off. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually, testBroker } from '@fit/stack/testing';
import {
  createConnection,
  createPublisher,
  createWorker,
  defineTopology,
  type Hooks,
  PublishError,
  retry,
  type TopologyEvent,
} from '@fit/topology';
import { connect } from 'amqplib';
import { z } from 'zod';
import { brokerFacts } from '../support/brokerFacts.ts';
import { openProxy } from '../support/openProxy.ts';
import { readDeadLetters } from '../support/readDeadLetters.ts';

const TOPOLOGY = defineTopology({
  exchange: 'shop',
  messages: {
    ordered: z.object({ id: z.string(), count: z.number().default(1) }),
    paid: z.string().refine(async (text) => (await Promise.resolve(text)) !== 'bad', 'is bad'),
    dated: z.object({ at: z.date() }),
  },
  queues: {
    orders: { on: ['ordered'], retry: { delays: ['50ms'] }, maxLength: 3 },
    payments: { on: ['paid', 'ordered', 'dated'], retry: { delays: ['50ms'] } },
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
    () => publisher.publish('ordered', { id: 'a' }, { timeout: '30d' }),
    // Two faults: the schema's later answer must not become an unhandled rejection.
    () => publisher.publish('paid', 'bad', { delay: '2h' as never }),
    // A date travels as text, which a worker with the same schema would refuse.
    () => publisher.publish('dated', { at: new Date() }),
  ];
  for (const [index, publish] of wrong.entries())
    assert.deepEqual(await failure(publish()), ['INVALID', false], `case ${index}`);
  const { id, error } = await publisher.tryPublish('paid', 'bad', { id: 'known' });
  assert.deepEqual([id, error?.code, error?.id], ['known', 'INVALID', 'known']);
  assert.match(error?.message ?? '', /body of 'paid' is invalid: is bad/);
  await publisher.publish('paid', 'good', { timeout: Infinity });
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
  assert.ok(events.some(({ type }) => type === 'channelFailed'));
});

test('many messages that are given up during an outage take no room afterwards', async (t) => {
  const { publisher, proxy, connection } = await open(t, { window: 10 });
  const controller = new AbortController();
  proxy.cut();
  proxy.holdReplies();
  await eventually(() => !connection.isUp, { describe: () => 'still up' });
  const kept = publisher.publish('paid', 'kept', { timeout: '1h' });
  const given = Array.from({ length: 10_000 }, (_, index) =>
    publisher.tryPublish(
      'paid',
      'given up',
      index % 100 > 0 ? { timeout: '1ms' } : { signal: controller.signal, timeout: '1h' },
    ),
  );
  setImmediate(() => {
    controller.abort();
  });
  const codes = (await Promise.all(given)).map(
    ({ error }) => `${error?.code} ${error?.mayHaveArrived}`,
  );
  assert.deepEqual([...new Set(codes)].sort(), ['CLOSED false', 'TIMEOUT false']);
  proxy.release();
  await kept;
  await publisher.publish('paid', 'next', { timeout: '1h' });
});

test('a signal that is aborted during the check or in a hook ends the publish unsent', async (t) => {
  const { amqpUrl, connection, publisher } = await open(t);
  const checking = new AbortController();
  const first = failure(publisher.publish('paid', 'a', { signal: checking.signal }));
  checking.abort();
  assert.deepEqual(await first, ['CLOSED', false]);
  const inHook = new AbortController();
  const hooked = await createPublisher({
    connection,
    topology: TOPOLOGY,
    hooks: {
      aroundPublish: async (_, run) => {
        inHook.abort();
        return await run();
      },
    },
  });
  const second = hooked.publish('paid', 'b', { signal: inHook.signal });
  assert.deepEqual(await failure(second), ['CLOSED', false]);
  await publisher.publish('paid', 'c');
  const [message] = await readDeadLetters(amqpUrl, 'payments', 1);
  assert.equal(message?.body.toString(), '"c"');
});

test('never: a missing exchange is UNROUTABLE until it is there', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const connection = await createConnection({ url: amqpUrl, logger: false });
  t.after(() => connection.close({ deadline: 0 }));
  const publisher = await createPublisher({ connection, topology: TOPOLOGY, assert: 'never' });
  assert.deepEqual(await failure(publisher.publish('paid', 'a')), ['UNROUTABLE', false]);
  await createPublisher({ connection, topology: TOPOLOGY });
  await publisher.publish('paid', 'b');
});

test('an error says which message it is about and what the broker answered, also as JSON', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const connection = await createConnection({ url: amqpUrl, logger: false });
  t.after(() => connection.close({ deadline: 0 }));
  const publisher = await createPublisher({ connection, topology: TOPOLOGY });
  const model = await connect(amqpUrl);
  const channel = await model.createChannel();
  await channel.unbindQueue('payments', TOPOLOGY.exchange, 'paid');
  await model.close();
  const { error } = await publisher.tryPublish('paid', 'a', { id: 'one' });
  const reason = "no queue is bound to 'paid'; assert or apply the topology";
  assert.deepEqual(JSON.parse(JSON.stringify(error)), {
    name: 'PublishError',
    code: 'UNROUTABLE',
    message: `UNROUTABLE: ${reason}`,
    reason,
    type: 'paid',
    exchange: TOPOLOGY.exchange,
    key: 'paid',
    id: 'one',
    mayHaveArrived: false,
    returned: { code: 312, text: 'NO_ROUTE' },
  });
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  const invalid = await publisher.tryPublish('paid', circular as never);
  const { code, type, key, cause } = JSON.parse(JSON.stringify(invalid.error)) as PublishError;
  assert.deepEqual([code, type, key], ['INVALID', 'paid', undefined]);
  assert.match(String(cause), /^TypeError: .*circular/);
});

test('hooks wrap each publish, those of the connection outside, and may add headers', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const order: string[] = [];
  const around = (name: string): Hooks => ({
    aroundPublish: async ({ type, headers }, run) => {
      order.push(`${name} begins ${type}`);
      headers[name] = 1;
      const result = await run();
      order.push(`${name} ends`);
      return result;
    },
  });
  const connection = await createConnection({
    url: amqpUrl,
    logger: false,
    hooks: around('connection'),
  });
  t.after(() => connection.close({ deadline: 0 }));
  const publisher = await createPublisher({
    connection,
    topology: TOPOLOGY,
    hooks: around('publisher'),
  });
  await publisher.publish('paid', 'a');
  assert.deepEqual(order, [
    'connection begins paid',
    'publisher begins paid',
    'publisher ends',
    'connection ends',
  ]);
  const [message] = await readDeadLetters(amqpUrl, 'payments', 1);
  assert.deepEqual({ ...message?.headers }, { connection: 1, publisher: 1 });
});

test('a hook that throws, swallows or forgets does not change what became of the message', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const lines: string[] = [];
  const log = (text: unknown) => lines.push(String(text));
  const connection = await createConnection({
    url: amqpUrl,
    logger: { info: log, warn: log, error: log },
  });
  t.after(() => connection.close({ deadline: 0 }));
  const withHook = (aroundPublish: Hooks['aroundPublish']) =>
    createPublisher({
      connection,
      topology: TOPOLOGY,
      ...(aroundPublish === undefined ? {} : { hooks: { aroundPublish } }),
    });
  const throwing = await withHook(async (_, run) => {
    await run();
    throw new Error('the span is broken');
  });
  await throwing.publish('paid', 'a');
  assert.deepEqual(lines.length, 1, lines.join('\n'));
  assert.match(lines.join(), /aroundPublish .*the span is broken/);
  const swallowing = await withHook(async (_, run) => {
    try {
      return await run();
    } catch {
      return undefined as never;
    }
  });
  const tooLong = swallowing.publish('paid', 'b', { id: 'i'.repeat(300) });
  assert.deepEqual(await failure(tooLong), ['INVALID', false]);
  const hasty = await withHook((_, run) => {
    void run().catch(() => undefined);
    return Promise.resolve(undefined as never);
  });
  await hasty.publish('paid', 'c');
  const forgetting = await withHook(() => Promise.resolve(undefined as never));
  const forgotten = await forgetting.tryPublish('paid', 'd');
  assert.equal(forgotten.error?.code, 'INVALID');
  assert.match(String(forgotten.error), /did not call run/);
  const refusing = await withHook(() => Promise.reject(new Error('not today')));
  const refused = await refusing.tryPublish('paid', 'e');
  assert.match(String(refused.error), /not today/);
  const bodies = (await readDeadLetters(amqpUrl, 'payments', 2)).map(({ body }) => body.toString());
  assert.deepEqual(bodies, ['"a"', '"c"']);
  assert.equal(lines.length, 1, lines.join('\n'));
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
