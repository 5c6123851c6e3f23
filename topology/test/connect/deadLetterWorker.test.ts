/** Goal: dead letters are read with their error and typed body, and are settled as their handler says. Method: workers on a real broker, one of them killed. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import {
  createConnection,
  createDeadLetterWorker,
  createPublisher,
  createWorker,
  keep,
  reject,
  replay,
} from '@fit/topology';
import { connect } from 'amqplib';
import { openConnected } from '../support/openConnected.ts';
import { openProxy } from '../support/openProxy.ts';
import { MAIL } from './deadMail.ts';

async function open(t: TestContext) {
  const opened = await openConnected(t, MAIL);
  return { ...opened, on: { ...opened.on, queue: 'outbox' } as const };
}

test('a letter tells cause, error, attempt, time and typed body; done deletes it, replay begins its message anew', async (t) => {
  const { publisher, on, expectReady, amqpUrl, events } = await open(t);
  const startedAtMs = Date.now();
  const handled: string[] = [];
  await createWorker({
    ...on,
    handler: ({ id, body, headers, attempt }) => {
      handled.push(`${id} ${attempt.number} ${String(headers['own'])}`);
      if (body.to === 'nobody') return reject(new RangeError('no such address'));
      throw new TypeError(`busy ${attempt.number}`);
    },
  });
  await publisher.publish('mail', { to: 'ann' }, { id: 'spent', headers: { own: 1 } });
  await publisher.publish('mail', { to: 'nobody' }, { id: 'fatal', headers: { own: 2 } });
  const model = await connect(amqpUrl);
  (await model.createConfirmChannel()).publish('mail', 'mail', Buffer.from('{"to":7}'), {
    messageId: 'unreadable',
    type: 'mail',
  });
  await expectReady('outbox.dead', 3);
  await model.close();
  handled.length = 0;

  const seen: unknown[] = [];
  await createDeadLetterWorker({
    ...on,
    handler: (letter) => {
      const { id, cause, error, attempt, diedAt, replays, isReadable } = letter;
      if (replays === 0 && cause !== 'malformed')
        assert.ok((diedAt?.getTime() ?? 0) >= startedAtMs - 1_000);
      // The body has the type of the message only where it is readable.
      const to = letter.isReadable ? letter.body.to : letter.problem.message.slice(0, 4);
      const text = `${String(error?.class)}: ${error?.message.slice(0, 15)}`;
      seen.push([id, cause, text, attempt, to, isReadable, replays]);
      return id === 'fatal' && replays === 0 ? replay() : undefined;
    },
  });
  await eventually(() => seen.length === 4, { describe: () => JSON.stringify(seen) });
  await expectReady('outbox.dead', 0);
  const sorted = seen.map((one) => JSON.stringify(one)).sort();
  assert.deepEqual(sorted, [
    '["fatal","fatal","RangeError: no such address",1,"nobody",true,0]',
    '["fatal","fatal","RangeError: no such address",1,"nobody",true,1]',
    '["spent","exhausted","TypeError: busy 2",2,"ann",true,0]',
    sorted[3],
  ]);
  assert.match(sorted[3]!, /^\["unreadable","malformed","InvalidBody: /);
  assert.deepEqual(handled, ['fatal 1 2']);
  const outcomes = events.flatMap((one) => (one.type === 'deadLetter' ? [one.outcome] : []));
  assert.deepEqual(outcomes.sort(), ['done', 'done', 'done', 'replay']);
});

test('what is kept or fails comes again, holds up nothing behind it, and goes back to its queue at a stop', async (t) => {
  const { publisher, on, expectReady, events } = await open(t);
  const worker = await createWorker({ ...on, handler: () => reject(new Error('no')) });
  const ids = Array.from({ length: 20 }, (_, index) => `m${index}`);
  for (const id of ids) await publisher.publish('mail', { to: id }, { id });
  await expectReady('outbox.dead', ids.length);
  await worker.stop();
  const seen = new Map<string, number>();
  const reader = await createDeadLetterWorker({
    ...on,
    concurrency: 2,
    handler: ({ id }) => {
      const count = (seen.get(id) ?? 0) + 1;
      seen.set(id, count);
      if (id === 'm19') return undefined;
      if (id === 'm1' && count === 1) throw new Error('the store is away');
      return keep(id === 'm0' && count === 1 ? '50ms' : '10m');
    },
  });
  await eventually(() => seen.size === ids.length && seen.get('m0') === 2 && seen.get('m1') === 2, {
    describe: () => JSON.stringify([...seen]),
  });
  assert.equal(reader.health, 'running');
  const failed = events.find((one) => one.type === 'deadLetter' && one.outcome === 'failed');
  assert.match(JSON.stringify(failed), /"cause":"fatal"/);
  await eventually(() => reader.inFlight === 19, { describe: () => String(reader.inFlight) });
  const stopped = reader.stop();
  assert.equal(reader.health, 'stopping');
  assert.deepEqual(await stopped, { finished: 0, returned: 19 });
  assert.equal(reader.health, 'stopped');
  await expectReady('outbox.dead', 19);
});

test('more failing letters than the worker reads at a time hold up nothing behind them', async (t) => {
  const { publisher, on, expectReady } = await open(t);
  const worker = await createWorker({ ...on, handler: () => reject(new Error('no')) });
  const failing = Array.from({ length: 10 }, (_, index) => `fails${index}`);
  const others = Array.from({ length: 10 }, (_, index) => `ends${index}`);
  for (const id of [...failing, ...others]) await publisher.publish('mail', { to: id }, { id });
  await expectReady('outbox.dead', failing.length + others.length);
  await worker.stop();
  const seen = new Map<string, number>();
  await using reader = await createDeadLetterWorker({
    ...on,
    concurrency: 2,
    handler: ({ id }) => {
      seen.set(id, (seen.get(id) ?? 0) + 1);
      if (id.startsWith('fails')) throw new Error('the store is away');
    },
  });
  await eventually(
    () => others.every((id) => seen.has(id)) && failing.every((id) => (seen.get(id) ?? 0) >= 2),
    { describe: () => JSON.stringify([...seen]) },
  );
  for (const id of others) assert.equal(seen.get(id), 1);
  await eventually(() => reader.inFlight === failing.length, {
    describe: () => String(reader.inFlight),
  });
});

test('a handler that does not answer within its deadline has failed, and its signal is aborted', async (t) => {
  const { publisher, on, expectReady, events } = await open(t);
  const worker = await createWorker({ ...on, handler: () => reject(new Error('no')) });
  await publisher.publish('mail', { to: 'ann' }, { id: 'slow' });
  await expectReady('outbox.dead', 1);
  await worker.stop();
  const signals: AbortSignal[] = [];
  await using reader = await createDeadLetterWorker({
    ...on,
    deadline: '100ms',
    handler: async (_letter, { signal }) => {
      signals.push(signal);
      if (signals.length === 1) await new Promise(() => undefined);
    },
  });
  await eventually(() => signals.length === 2 && reader.inFlight === 0, {
    describe: () => `${signals.length} calls, ${reader.inFlight} in flight`,
  });
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true, false],
  );
  const outcomes = events.flatMap((one) => (one.type === 'deadLetter' ? [one] : []));
  assert.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    ['failed', 'done'],
  );
  assert.match(JSON.stringify(outcomes[0]?.error), /DeadlineExceeded/);
  await assert.rejects(
    createDeadLetterWorker({ ...on, deadline: '21m', handler: () => undefined }),
    {
      name: 'TypeError',
      message: /deadline must be at most 20m, not 21m/,
    },
  );
});

test('a body that its publisher encoded is decoded before its schema checks it', async (t) => {
  const { connection, on, expectReady } = await open(t);
  const publisher = await createPublisher({
    connection,
    topology: MAIL,
    encode: (body) => Buffer.from(JSON.stringify(body)).reverse(),
  });
  const decode = ({ body }: { readonly body: Uint8Array }): unknown =>
    JSON.parse(Buffer.from(body).reverse().toString());
  await createWorker({ ...on, decode, handler: () => reject(new Error('no')) });
  await publisher.publish('mail', { to: 'ann' }, { id: 'encoded' });
  await expectReady('outbox.dead', 1);
  const seen: unknown[] = [];
  await using reader = await createDeadLetterWorker({
    ...on,
    decode,
    handler: (letter) => {
      seen.push([letter.isReadable, letter.body]);
    },
  });
  await eventually(() => seen.length === 1 && reader.inFlight === 0, {
    describe: () => JSON.stringify(seen),
  });
  assert.deepEqual(seen, [[true, { to: 'ann' }]]);
});

test('a worker killed between a dead letter and the end of its message leaves two, of which the handler gets one', async (t) => {
  const { amqpUrl, publisher, on, expectReady } = await open(t);
  await publisher.publish('mail', { to: 'ann' }, { id: 'twice' });
  const abandoned = new AbortController();
  t.after(() => {
    abandoned.abort();
  });
  const first = fork(join(import.meta.dirname, 'deadMailWorker.ts'), [amqpUrl], {
    signal: abandoned.signal,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [, signal] = (await once(first, 'exit')) as [unknown, string | null];
  assert.equal(signal, 'SIGKILL');
  const worker = await createWorker({ ...on, handler: () => reject(new Error('again')) });
  await expectReady('outbox.dead', 2);
  await worker.stop();
  const seen: string[] = [];
  const reader = await createDeadLetterWorker({
    ...on,
    handler: ({ id, error }) => {
      seen.push(`${id} ${String(error?.message)}`);
    },
  });
  await eventually(() => seen.length > 0 && reader.inFlight === 0, {
    describe: () => `${reader.inFlight}: ${seen.join()}`,
  });
  await expectReady('outbox.dead', 0);
  await reader.stop();
  assert.deepEqual(seen, ['twice killed']);
});

test('a stop gives dead letters back whose note is awaited, and a worker opens where the notes are no stream', {
  timeout: 120_000,
}, async (t) => {
  const { amqpUrl, publisher, on, expectReady } = await open(t);
  const worker = await createWorker({
    ...on,
    handler: () => {
      throw new Error('no');
    },
  });
  const ids = ['a', 'b', 'c'];
  for (const id of ids) await publisher.publish('mail', { to: 'ann' }, { id });
  await expectReady('outbox.dead', ids.length);
  await worker.stop();
  const model = await connect(amqpUrl);
  t.after(() => model.close().catch(() => undefined));
  const channel = await model.createChannel();
  await channel.deleteQueue('outbox.notes');
  const arguments_ = { 'x-queue-type': 'stream' };
  await channel.assertQueue('outbox.notes', { durable: true, arguments: arguments_ });
  await channel.bindQueue('outbox.notes', 'outbox.notes', '');
  const timer = setInterval(() => {
    channel.publish('outbox.notes', 'outbox', Buffer.alloc(0), { messageId: 'other' });
  }, 100);
  t.after(() => {
    clearInterval(timer);
  });
  const gate = Promise.withResolvers<undefined>();
  const seen: string[] = [];
  const reader = await createDeadLetterWorker({
    ...on,
    assert: 'never',
    handler: ({ id }) => {
      seen.push(id);
      return gate.promise;
    },
  });
  await eventually(() => reader.inFlight === ids.length, {
    describe: () => String(reader.inFlight),
  });
  const stopped = reader.stop({ deadline: '90s' });
  // Of a machine that is slow a handler may have begun.
  const begunCount = seen.length;
  gate.resolve(undefined);
  const report = await stopped;
  assert.deepEqual(report, { finished: begunCount, returned: ids.length - begunCount });
  clearInterval(timer);

  await channel.deleteQueue('outbox.notes');
  await channel.assertQueue('outbox.notes', { durable: true });
  seen.length = 0;
  await createDeadLetterWorker({
    ...on,
    assert: 'never',
    handler: ({ id, error }) => {
      seen.push(`${id} ${String(error?.class)}`);
    },
  });
  const left = ids.length - begunCount;
  await eventually(() => seen.length === left, { describe: () => seen.join() });
  assert.ok(seen.every((one) => one.endsWith(' undefined')));
});

test('after a reconnect a new dead letter has its error', async (t) => {
  const { amqpUrl, publisher, on, expectReady } = await open(t);
  const proxy = await openProxy(t, amqpUrl);
  const connection = await createConnection({ url: proxy.url, logger: false });
  t.after(() => connection.close({ deadline: 0 }));
  const seen: string[] = [];
  const reader = await createDeadLetterWorker({
    ...on,
    connection,
    handler: ({ id, error }) => {
      seen.push(`${id} ${String(error?.message)}`);
    },
  });
  proxy.refuse();
  await eventually(() => reader.health === 'disconnected', { describe: () => reader.health });
  await createWorker({
    ...on,
    handler: ({ id }) => {
      throw new Error(`no ${id}`);
    },
  });
  for (const id of ['a', 'b', 'c']) await publisher.publish('mail', { to: 'ann' }, { id });
  await expectReady('outbox.dead', 3);
  proxy.accept();
  await eventually(() => seen.length === 3, { describe: () => seen.join() });
  assert.deepEqual(seen.sort(), ['a no a', 'b no b', 'c no c']);
});

test('a dead letter of a crash tells when a worker published it', async (t) => {
  const { amqpUrl, on } = await open(t);
  const model = await connect(amqpUrl);
  const channel = await model.createConfirmChannel();
  channel.publish('outbox.park', 'mail', Buffer.from('{"to":"ann"}'), {
    messageId: 'a',
    timestamp: 1_780_000_000,
    headers: { 'death-cause': 'crashed', 'death-class': 'Crash', 'death-message': 'it died' },
  });
  await channel.waitForConfirms();
  await model.close();
  const seen: string[] = [];
  await createDeadLetterWorker({
    ...on,
    handler: ({ cause, diedAt, error }) => {
      seen.push(`${cause} ${String(diedAt?.getTime())} ${String(error?.message)}`);
    },
  });
  await eventually(() => seen.length === 1, { describe: () => seen.join() });
  assert.deepEqual(seen, ['crashed 1780000000000 it died']);
});

test('wrong options are told', async (t) => {
  const { on } = await open(t);
  const handler = () => undefined;
  await assert.rejects(
    createDeadLetterWorker({ ...on, queue: 'inbox' as never, handler }),
    /KIND_UNKNOWN .*'outbox'/,
  );
  await assert.rejects(createDeadLetterWorker({ ...on, concurrency: 0, handler }), /at least 1/);
  await assert.rejects(
    createDeadLetterWorker({ ...on, handlers: handler, handler } as never),
    /unknown option handlers/,
  );
});
