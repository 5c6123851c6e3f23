/**
 * Goal: what a worker that stores in bulk needs, and what a relay needs: many messages in hand, answers of `settle`, bodies that
 * are signed as bytes, messages whose attempts are partly spent, publishes that do not wait. Method: a real broker.
 */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { eventually, testBroker } from '@fit/stack/testing';
import {
  createConnection,
  createPublisher,
  createWorker,
  declareTopology,
  defineTopology,
  type Outcome,
  PublishError,
  reject,
  retry,
  type SettledAttempt,
  topologyOf,
} from '@fit/topology';
import { z } from 'zod';
import { openProxy } from '../support/openProxy.ts';
import { readDeadLetters } from '../support/readDeadLetters.ts';

const TOPOLOGY = defineTopology({
  exchange: 'bulk',
  messages: { made: z.object({ id: z.string() }) },
  queues: { bulk: { on: ['made'], retry: { delays: ['50ms', '80ms', '110ms'] } } },
});

async function open(t: TestContext) {
  const { amqpUrl } = await testBroker(t);
  const proxy = await openProxy(t, amqpUrl);
  const connection = await createConnection({ url: proxy.url, logger: false });
  t.after(() => connection.close({ deadline: 0 }));
  return { amqpUrl, proxy, connection, on: { connection, topology: TOPOLOGY } as const };
}

test('with a prefetch above the concurrency, settle collects many messages, whose ids are in hand until they are settled', async (t) => {
  const { connection, on } = await open(t);
  const publisher = await createPublisher(on);
  const collected: (() => void)[] = [];
  const worker = await createWorker({
    ...on,
    queue: 'bulk',
    id: 'collector',
    concurrency: 2,
    prefetch: 30,
    handler: () => undefined,
    settle: () => new Promise<void>((resolve) => collected.push(resolve)),
  });
  const ids = Array.from({ length: 40 }, (_, index) => `m${index}`);
  await Promise.all(ids.map((id) => publisher.publish('made', { id }, { id })));
  const describe = () => `${collected.length} collected, ${worker.inFlight} in flight`;
  await eventually(() => collected.length === 30, { describe });
  assert.deepEqual([worker.id, worker.inFlight, worker.isUp], ['collector', 30, true]);
  assert.deepEqual(worker.inFlightIds.toSorted(), ids.slice(0, 30).sort());
  assert.ok((worker.oldestReceivedAtMs ?? Infinity) <= Date.now());
  assert.equal((await connection.depthOf('bulk')).readyCount, 10);
  for (const resolve of collected.splice(0)) resolve();
  await eventually(() => collected.length === 10, { describe });
  for (const resolve of collected) resolve();
  await eventually(() => worker.inFlight === 0, { describe });
  assert.equal(worker.oldestReceivedAtMs, undefined);
});

test('what settle answers takes the place of the outcome', async (t) => {
  const { amqpUrl, on } = await open(t);
  const publisher = await createPublisher(on);
  const ends: string[] = [];
  const answers: Record<string, (attempt: number) => Outcome<never> | undefined> = {
    stored: () => ({ type: 'done' }),
    refused: (attempt) => (attempt === 1 ? retry(new Error('too large')) : undefined),
    forged: () => reject(new Error('another payload')),
  };
  const worker = await createWorker({
    ...on,
    queue: 'bulk',
    handler: ({ body: { id } }) => (id === 'stored' ? retry(new Error('failed')) : undefined),
    settle: ({ message, attempt, next, waitMs, spent, isCurrent }) => {
      ends.push([message.body.id, attempt.number, next, waitMs, spent, isCurrent].join(' '));
      return answers[message.body.id]?.(attempt.number);
    },
  });
  for (const id of ['stored', 'refused', 'forged']) await publisher.publish('made', { id });
  const [dead] = await readDeadLetters(amqpUrl, 'bulk.dead', 1);
  assert.equal(dead?.body.toString(), '{"id":"forged"}');
  const describe = () => ends.join('; ');
  await eventually(() => ends.length === 4 && worker.inFlight === 0, { describe });
  assert.deepEqual(ends.toSorted(), [
    'forged 1 ack  1 true',
    'refused 1 ack  1 true',
    'refused 2 ack  2 true',
    'stored 1 wait 50 1 true',
  ]);
});

test('a signature over the bytes of a body is checked before the schema; a wrong one makes the message malformed', async (t) => {
  const { amqpUrl, on } = await open(t);
  const sign = (body: Uint8Array) => createHmac('sha256', 'secret').update(body).digest('hex');
  const publisher = await createPublisher({ ...on, encode: (body) => body as Uint8Array });
  const seen: unknown[] = [];
  await createWorker({
    ...on,
    queue: 'bulk',
    decode: ({ body, headers, type }) => {
      if (headers['signature'] !== sign(body)) throw new Error(`${type} is not signed`);
      return JSON.parse(Buffer.from(body).toString('utf8')) as unknown;
    },
    handler: ({ body, isRedelivered }) => {
      seen.push([body.id, isRedelivered]);
    },
  });
  const bytes = Buffer.from('{"id":"signed","more":1}');
  // With `encode` the schema checks what was given, so a publisher of bytes needs a schema of bytes.
  await assert.rejects(publisher.publish('made', bytes as never), { code: 'INVALID' });
  const schema = {
    '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
  } as const;
  const raw = topologyOf(TOPOLOGY.declaration, () => schema);
  const signed = await createPublisher({
    connection: on.connection,
    topology: raw,
    encode: (body) => body as Uint8Array,
  });
  await signed.publish('made', bytes, { headers: { signature: sign(bytes) } });
  await signed.publish('made', bytes, { id: 'forged', headers: { signature: 'wrong' } });
  const [dead] = await readDeadLetters(amqpUrl, 'bulk.dead', 1);
  assert.equal(dead?.id, 'forged');
  await eventually(() => seen.length === 1, { describe: () => JSON.stringify(seen) });
  assert.deepEqual(seen, [['signed', false]]);
});

test('a message of one queue goes on after the attempts that are over', async (t) => {
  const { amqpUrl, on } = await open(t);
  const publisher = await createPublisher(on);
  const attempts: string[] = [];
  await createWorker({
    ...on,
    queue: 'bulk',
    handler: ({ id, attempt }) => {
      attempts.push(`${id} ${attempt.number}`);
      throw new Error('always');
    },
    breaker: { ignores: () => true },
  });
  await publisher.publish('made', { id: 'a' }, { id: 'three', to: { queue: 'bulk', spent: 2 } });
  await publisher.publish('made', { id: 'a' }, { id: 'all', to: { queue: 'bulk' } });
  await readDeadLetters(amqpUrl, 'bulk.dead', 2);
  assert.deepEqual(attempts.toSorted(), ['all 1', 'all 2', 'all 3', 'all 4', 'three 3', 'three 4']);
  await assert.rejects(
    publisher.publish('made', { id: 'a' }, { to: { queue: 'bulk', spent: -1 } }),
    { code: 'INVALID' },
  );
});

test('fail: without a connection a publish ends at once; send tells each end without a promise', async (t) => {
  const { on, proxy, connection } = await open(t);
  const publisher = await createPublisher({ ...on, whenDisconnected: 'fail', timeout: Infinity });
  const ends: (string | undefined)[] = [];
  const onEnd = (error: PublishError | undefined) => ends.push(error?.code);
  publisher.send('made', { id: 'a' }, {}, onEnd);
  publisher.send('made', { id: 5 } as never, {}, onEnd);
  const describe = () => ends.join();
  await eventually(() => ends.length === 2, { describe });
  assert.deepEqual(ends.splice(0), ['INVALID', undefined]);
  proxy.cut();
  proxy.holdReplies();
  await eventually(() => !connection.isUp, { describe: () => 'still up' });
  publisher.send('made', { id: 'b' }, {}, onEnd);
  assert.deepEqual(ends, ['CONNECTION_LOST']);
  const error = await publisher.publish('made', { id: 'c' }).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof PublishError && error.code === 'CONNECTION_LOST');
  proxy.release();
});

test('an attempt whose message was given back by a stop is not settled, and is told', async (t) => {
  const { on } = await open(t);
  const publisher = await createPublisher(on);
  const begun = Promise.withResolvers<undefined>();
  const long: string[] = [];
  const told: string[] = [];
  const returned = Promise.withResolvers<SettledAttempt<never>>();
  const worker = await createWorker({
    ...on,
    queue: 'bulk',
    deadline: '1m',
    handler: async ({ signal }) => {
      begun.resolve(undefined);
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      return reject(new Error('stopped'));
    },
    onLong: ({ id }) => long.push(id),
    settle: ({ message }) => void told.push(message.id),
    onReturned: returned.resolve,
  });
  await publisher.publish('made', { id: 'a' }, { id: 'held' });
  await begun.promise;
  await eventually(() => long.length === 1, { describe: () => 'not told as long' });
  assert.deepEqual(await worker.stop({ deadline: 0 }), { finished: 0, returned: 1 });
  const { message, isCurrent } = await returned.promise;
  assert.deepEqual([message.id, isCurrent, long, told], ['held', false, ['held'], []]);
});

test('a declaration that was made by hand serves workers and publishers', async (t) => {
  const { connection } = await open(t);
  const declaration = declareTopology({
    exchange: 'hand',
    kinds: { made: { key: 'job.made', queue: 'madeQueue', tiers: ['50ms'] } },
  });
  const topology = topologyOf(declaration, () => z.object({ id: z.string() }));
  const publisher = await createPublisher({ connection, topology });
  const seen: unknown[] = [];
  await createWorker({
    connection,
    topology,
    queue: 'made',
    handler: ({ type, body, attempt }) => {
      seen.push([type, body, attempt.number]);
      return attempt.isLast ? undefined : retry();
    },
  });
  await publisher.publish('job.made', { id: 'a' });
  await eventually(() => seen.length === 2, { describe: () => JSON.stringify(seen) });
  assert.deepEqual(seen, [
    ['job.made', { id: 'a' }, 1],
    ['job.made', { id: 'a' }, 2],
  ]);
});

test('counts and durations that make no sense are refused', async (t) => {
  const { on } = await open(t);
  const worker = { ...on, queue: 'bulk', handler: () => undefined } as const;
  await assert.rejects(createWorker({ ...worker, prefetch: 5 }), /prefetch must be a whole number/);
  await assert.rejects(createWorker({ ...worker, prefetch: 70_000 }), /65535/);
  await assert.rejects(createWorker({ ...worker, deadline: 'soon' as never }), /deadline must be/);
  await assert.rejects(
    createPublisher({ ...on, whenDisconnected: 'never' as never }),
    /wait or fail/,
  );
});
