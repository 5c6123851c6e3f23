/** Goal: outcomes, fan-out, patterns, stops and checks of a worker by name. Method: workers on a real broker. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually, testBroker } from '@fit/stack/testing';
import {
  type AttemptInfo,
  createConnection,
  createPublisher,
  createWorker,
  defineTopology,
  discard,
  reject,
  retry,
  TopologyError,
} from '@fit/topology';
import { Inspector } from '@fit/topology/amqp';
import { connect } from 'amqplib';
import { z } from 'zod';
import { openConnected } from '../support/openConnected.ts';
import { readDeadLetters } from '../support/readDeadLetters.ts';

const SHOP = defineTopology({
  exchange: 'shop',
  messages: {
    'order.created': z.object({ id: z.string(), total: z.coerce.number() }),
    'order.paid': z.object({ id: z.string() }),
    'user.created': z.object({ name: z.string() }),
  },
  queues: {
    invoices: { on: ['order.created'], retry: { delays: ['50ms', '100ms'] } },
    mails: { on: ['order.*', 'user.created'], retry: { delays: ['60ms'] } },
    audit: { on: ['#'], retry: { delays: ['70ms', '140ms', '210ms'], immediate: 2 } },
  },
});

const open = (t: TestContext) => openConnected(t, SHOP);

test('an event with three subscribers: each has its own attempts and dead letters, whatever key the broker gave it', async (t) => {
  const { amqpUrl, publisher, on } = await open(t);
  const seen: Record<'invoices' | 'mails' | 'audit', string[]> = {
    invoices: [],
    mails: [],
    audit: [],
  };
  await createWorker({
    ...on,
    queue: 'invoices',
    handler: ({ type, body, attempt }) => {
      // Only one message is on this queue, so its type needs no narrowing.
      seen.invoices.push(`${type} ${body.total + 1} ${attempt.number}/${attempt.of}`);
    },
  });
  await createWorker({
    ...on,
    queue: 'mails',
    handler: (message) => {
      const who = message.type === 'user.created' ? message.body.name : message.body.id;
      seen.mails.push(`${message.type} ${who} ${message.attempt.number}/${message.attempt.of}`);
      throw new Error('no mail server');
    },
  });
  await createWorker({
    ...on,
    queue: 'audit',
    handler: ({ type, attempt }) => {
      seen.audit.push(`${type} ${attempt.number}/${attempt.of}`);
      return attempt.isLast ? undefined : retry(new Error('busy'));
    },
  });
  await publisher.publish('order.created', { id: 'a', total: '41' });
  await publisher.publish('user.created', { name: 'ann' });
  const dead = await readDeadLetters(amqpUrl, 'mails.dead', 2);
  await eventually(() => seen.audit.length === 12, { describe: () => JSON.stringify(seen) });
  assert.deepEqual(seen.invoices, ['order.created 42 1/3']);
  assert.deepEqual(seen.mails.sort(), [
    'order.created a 1/2',
    'order.created a 2/2',
    'user.created ann 1/2',
    'user.created ann 2/2',
  ]);
  for (const type of ['order.created', 'user.created'])
    assert.deepEqual(
      seen.audit.filter((line) => line.startsWith(type)),
      [1, 2, 3, 4, 5, 6].map((number) => `${type} ${number}/6`),
    );
  assert.deepEqual(
    dead.map(({ key }) => key),
    ['mails.r1', 'mails.r1'],
  );
});

test('each outcome, and what a throw means, decide alone; events tell them', async (t) => {
  const { amqpUrl, publisher, events, on } = await open(t);
  const attempts: string[] = [];
  await createWorker({
    ...on,
    queue: 'invoices',
    onError: (error, { number }) => {
      if (error instanceof RangeError) return reject(error);
      if (error instanceof TypeError) return number === 1 ? undefined : discard('gave up');
      throw new Error('onError itself fails');
    },
    handler: async ({ body: { id }, attempt }) => {
      attempts.push(`${id} ${attempt.number}`);
      await Promise.resolve();
      if (id === 'range') throw new RangeError('out of range');
      if (id === 'type') throw new TypeError('wrong');
      if (id === 'other' && attempt.number === 1) throw new Error('again');
      if (id === 'later')
        return attempt.number === 1 ? retry(undefined, { after: '90ms' }) : undefined;
      if (id === 'odd' && attempt.number === 1) return { type: 'finished' } as never;
      return undefined;
    },
  });
  for (const id of ['range', 'type', 'other', 'later', 'odd', 'fine'])
    await publisher.publish('order.created', { id, total: 1 });
  const outcomes = () =>
    events.flatMap((event) =>
      event.type === 'attempt' ? [`${event.outcome} ${event.attempt.number}`] : [],
    );
  await eventually(() => outcomes().length === 10, { describe: () => outcomes().join(', ') });
  assert.deepEqual(
    attempts.filter((one) => one.startsWith('later')),
    ['later 1', 'later 3'],
  );
  assert.deepEqual(outcomes().sort(), [
    'discard 2',
    'done 1',
    'done 2',
    'done 2',
    'done 3',
    'reject 1',
    'retry 1',
    'retry 1',
    'retry 1',
    'retry 1',
  ]);
  assert.ok(events.some(({ type }) => type === 'invalidOutcome'));
  const [dead] = await readDeadLetters(amqpUrl, 'invoices.dead', 1);
  assert.equal(dead?.headers['death-class'], 'RangeError');
});

test('a body that its schema refuses, and a message of no name, are dead letters before the handler', async (t) => {
  const { amqpUrl, events, on } = await open(t);
  await createWorker({ ...on, queue: 'mails', handler: () => assert.fail('must not run') });
  const { Publisher } = await import('@fit/topology/amqp');
  const raw = await Publisher.open({
    url: amqpUrl,
    label: 'raw',
    prepare: () => Promise.resolve(),
  });
  t.after(() => raw.close());
  const send = (key: string, body: string) =>
    raw.publish({ exchange: 'shop', key, id: key, body: Buffer.from(body) });
  await send('order.paid', '{"id":1}');
  await send('order.unknown', '{}');
  await send('user.created', 'no json');
  const dead = await readDeadLetters(amqpUrl, 'mails.dead', 3);
  assert.deepEqual(
    dead.map(({ id, headers }) => [id, headers['death-cause'], headers['death-class']]),
    [
      ['order.paid', 'malformed', 'InvalidBody'],
      ['order.unknown', 'malformed', 'Error'],
      ['user.created', 'malformed', 'Error'],
    ],
  );
  assert.equal(events.filter(({ type }) => type === 'deadLettered').length, 3);
});

test('what is settled is stored before the message is acknowledged; a failed store is a failed attempt', async (t) => {
  const { publisher, on } = await open(t);
  const stored: unknown[] = [];
  const waiting: (() => void)[] = [];
  let failures = 1;
  const worker = await createWorker({
    ...on,
    queue: 'invoices',
    handler: ({ body }) => ({ type: 'done', effect: body.total }),
    settle: async ({ outcome, attempt, next, message }) => {
      if (failures > 0) {
        failures -= 1;
        throw new Error('the store is down');
      }
      stored.push([outcome, attempt.number, next, message.type]);
      await new Promise<void>((resolve) => waiting.push(resolve));
    },
  });
  await publisher.publish('order.created', { id: 'a', total: 7 });
  await eventually(() => stored.length === 1, { describe: () => JSON.stringify(stored) });
  assert.deepEqual(stored, [[{ type: 'done', effect: 7 }, 2, 'ack', 'order.created']]);
  assert.equal(worker.inFlight, 1);
  for (const resolve of waiting) resolve();
  await eventually(() => worker.inFlight === 0, { describe: () => `${worker.inFlight} in flight` });
});

test('a paused worker gets nothing; a stop waits, aborts at its deadline, and reports', async (t) => {
  const { amqpUrl, publisher, on } = await open(t);
  const running = new Map<string, { end: () => void; signal: AbortSignal }>();
  const worker = await createWorker({
    ...on,
    queue: 'invoices',
    concurrency: 2,
    handler: ({ body: { id }, signal }) =>
      new Promise<void>((resolve) => {
        running.set(id, { end: resolve, signal });
      }),
  });
  await worker.pause();
  assert.equal(worker.health, 'paused');
  for (const id of ['a', 'b']) await publisher.publish('order.created', { id, total: 1 });
  const inspector = await Inspector.open({ url: amqpUrl, label: 'test inspects' });
  t.after(() => inspector.close());
  const readyCount = async () => (await inspector.depthOf('invoices')).readyCount;
  await eventually(async () => (await readyCount()) === 2, {
    describe: async () => `${await readyCount()} ready`,
  });
  assert.equal(running.size, 0);
  await worker.resume();
  await eventually(() => running.size === 2, { describe: () => [...running.keys()].join() });
  const stopped = worker.stop({ deadline: '300ms' });
  assert.equal(worker.health, 'stopping');
  running.get('a')?.end();
  assert.deepEqual(await stopped, { finished: 1, returned: 1 });
  assert.equal(running.get('b')?.signal.aborted, true);
  assert.equal(worker.health, 'stopped');
});

test('no immediate repeat begins after a stop gave the message back', async (t) => {
  const { publisher, on } = await open(t);
  const begun: number[] = [];
  const worker = await createWorker({
    ...on,
    queue: 'audit',
    handler: async ({ attempt, signal }) => {
      begun.push(attempt.number);
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      throw new Error('stopped');
    },
  });
  await publisher.publish('user.created', { name: 'ann' });
  await eventually(() => begun.length === 1, { describe: () => begun.join() });
  assert.deepEqual(await worker.stop({ deadline: '50ms' }), { finished: 0, returned: 1 });
  await new Promise(setImmediate);
  assert.deepEqual(begun, [1]);
});

test('hooks wrap each attempt, those of the connection outside', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const order: string[] = [];
  const around =
    (name: string) =>
    async <Result>(attempt: AttemptInfo, _: unknown, run: () => Promise<Result>) => {
      order.push(`${name} ${attempt.queue} ${attempt.number}`);
      return await run();
    };
  const connection = await createConnection({
    url: amqpUrl,
    logger: false,
    hooks: { aroundAttempt: around('connection') },
  });
  t.after(() => connection.close({ deadline: 0 }));
  const publisher = await createPublisher({ connection, topology: SHOP });
  await createWorker({
    connection,
    topology: SHOP,
    queue: 'invoices',
    hooks: { aroundAttempt: around('worker') },
    handler: () => {
      order.push('handler');
    },
  });
  await publisher.publish('order.created', { id: 'a', total: 1 });
  await eventually(() => order.length === 3, { describe: () => order.join() });
  assert.deepEqual(order, ['connection invoices 1', 'worker invoices 1', 'handler']);
});

test('a hook that fails after the handler changes no outcome; one that does not call it is a failed attempt', async (t) => {
  const { publisher, events, on } = await open(t);
  const seen: string[] = [];
  await createWorker({
    ...on,
    queue: 'invoices',
    hooks: {
      aroundAttempt: async ({ number }, _, run) => {
        if (number === 1) return undefined as never;
        await run();
        throw new Error('the span was ended twice');
      },
    },
    handler: ({ attempt }) => {
      seen.push(`attempt ${attempt.number}`);
    },
  });
  await publisher.publish('order.created', { id: 'a', total: 1 });
  const outcomes = () =>
    events.flatMap((event) => (event.type === 'attempt' ? [event.outcome] : []));
  await eventually(() => outcomes().includes('done'), { describe: () => outcomes().join() });
  assert.deepEqual([seen, outcomes()], [['attempt 2'], ['retry', 'done']]);
});

test('check refuses what is missing and changes nothing; never asks nothing', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const connection = await createConnection({ url: amqpUrl, logger: false });
  t.after(() => connection.close({ deadline: 0 }));
  let missing: TopologyError['faults'] = [];
  await assert.rejects(
    createPublisher({ connection, topology: SHOP, assert: 'check' }),
    (error: unknown) => {
      assert.ok(error instanceof TopologyError);
      assert.equal(error.code, 'TOPOLOGY_DIFFERS');
      missing = error.faults;
      assert.ok(error.faults.some(({ subject }) => subject === 'exchange shop'));
      assert.ok(error.faults.some(({ subject }) => subject === 'queue audit.wait.1.70ms'));
      return true;
    },
  );
  await createPublisher({ connection, topology: SHOP, assert: 'never' });
  // Had one of them created anything, the second check would miss less than the first.
  await assert.rejects(
    createPublisher({ connection, topology: SHOP, assert: 'check' }),
    (error: unknown) => {
      assert.deepEqual(error instanceof TopologyError && error.faults, missing);
      return true;
    },
  );
  await createPublisher({ connection, topology: SHOP });
  const checked = await createPublisher({ connection, topology: SHOP, assert: 'check' });
  await checked.publish('user.created', { name: 'ann' });
});

test('a worker that only checks tells why it cannot consume again, until the topology is there again', async (t) => {
  const { amqpUrl, on } = await open(t);
  const worker = await createWorker({
    ...on,
    queue: 'invoices',
    assert: 'check',
    handler: () => undefined,
  });
  assert.equal(worker.topologyFault, undefined);
  const operator = await connect(amqpUrl);
  await (await operator.createChannel()).deleteQueue('invoices');
  await operator.close();
  await eventually(() => worker.topologyFault !== undefined, { describe: () => worker.health });
  assert.match(String(worker.topologyFault), /OBJECT_MISSING queue invoices/);
  assert.equal(worker.health, 'disconnected');
  await createPublisher({ connection: amqpUrl, topology: SHOP }).then((other) => other.close());
  await eventually(() => worker.health === 'running', {
    describe: () => worker.health,
  });
  assert.equal(worker.topologyFault, undefined);
});

test('wrong options are refused: at compile time where the compiler sees them', async (t) => {
  const { on } = await open(t);
  const handler = () => undefined;
  await assert.rejects(
    // @ts-expect-error: no such queue
    createWorker({ ...on, queue: 'invoice', handler }),
    /queue 'invoice' is not defined/,
  );
  await assert.rejects(
    // @ts-expect-error: misspelt option
    createWorker({ ...on, queue: 'invoices', handler, concurency: 5 }),
    /unknown option concurency/,
  );
  await assert.rejects(
    createWorker({ ...on, queue: 'invoices', handler, concurrency: 0 }),
    /concurrency must be a whole number/,
  );
  await createWorker({
    ...on,
    queue: 'invoices',
    handler: ({ body }) => {
      // @ts-expect-error: the body has no such field
      assert.ok(body.sum);
    },
  });
  await createWorker({
    ...on,
    queue: 'invoices',
    // @ts-expect-error: a misspelt outcome
    handler: () => ({ type: 'dnoe' }),
  });
});
