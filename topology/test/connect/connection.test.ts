/** Goal: a connection fails fast, fails over, comes back, and is shared. Method: real brokers, proxies, wrong credentials. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { askManagement, eventually, testBroker } from '@fit/stack/testing';
import {
  ConnectError,
  createConnection,
  createDeadLetterWorker,
  createPublisher,
  createWorker,
  defineTopology,
} from '@fit/topology';
import { z } from 'zod';
import { openProxy } from '../support/openProxy.ts';

const DEAD = 'amqp://127.0.0.1:1';

async function refusal(options: Parameters<typeof createConnection>[0]): Promise<ConnectError> {
  const error = await createConnection(options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ConnectError, String(error));
  return error;
}

test('a refused login and a missing virtual host are told at once, without the password', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const wrong = Object.assign(new URL(amqpUrl), { username: 'guest', password: 'wrong-secret' });
  const login = await refusal({ url: wrong.href, logger: false, connectTimeout: 'forever' });
  assert.equal(login.code, 'LOGIN_REFUSED');
  assert.doesNotMatch(`${login.message} ${login.url}`, /wrong-secret/);
  const nowhere = Object.assign(new URL(amqpUrl), { pathname: '/nowhere' });
  const vhost = await refusal({ url: nowhere.href, logger: false, connectTimeout: 'forever' });
  assert.equal(vhost.code, 'VHOST_MISSING');
});

test('no broker, one that never answers, and one without TLS are told apart within the timeout', async (t) => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => silent.close());
  const { port } = silent.address() as { port: number };
  const connectTimeout = '300ms';
  const codes = await Promise.all(
    [
      { url: DEAD, connectTimeout, logger: false } as const,
      { url: `amqp://127.0.0.1:${port}`, connectTimeout, logger: false } as const,
    ].map(async (options) => (await refusal(options)).code),
  );
  assert.deepEqual(codes, ['UNREACHABLE', 'TIMEOUT']);
  const { amqpUrl } = await testBroker(t);
  const tls = await refusal({ url: amqpUrl.replace('amqp:', 'amqps:'), logger: false });
  assert.equal(tls.code, 'TLS_FAILED');
});

test('a signal ends connecting with its reason', async () => {
  const controller = new AbortController();
  const connecting = createConnection({
    url: DEAD,
    connectTimeout: 'forever',
    signal: controller.signal,
    logger: false,
  });
  controller.abort(new Error('not wanted'));
  await assert.rejects(connecting, /not wanted/);
});

test('wrong options are refused before anything is connected', async () => {
  // @ts-expect-error: uri is no option
  await assert.rejects(createConnection({ uri: DEAD }), /unknown option uri/);
  await assert.rejects(createConnection('http://localhost'), /must begin with amqp/);
  await assert.rejects(
    createConnection({ url: DEAD, connectTimeout: 'soon' as never }),
    /connectTimeout must be a duration/,
  );
  await assert.rejects(
    createConnection({ url: DEAD, connectTimeout: '30d' }),
    /connectTimeout must be at most/,
  );
});

function topologyOf(queueCount: number) {
  const names = Array.from({ length: queueCount }, (_, index) => `work${index}`);
  return defineTopology({
    exchange: 'shared',
    messages: Object.fromEntries(names.map((name) => [name, z.number()])),
    queues: Object.fromEntries(
      names.map((name) => [name, { on: [name], retry: { delays: ['50ms'] } }] as const),
    ),
  });
}

async function connectionCount(vhost: string): Promise<number> {
  const found = (await askManagement({
    method: 'GET',
    path: `/api/vhosts/${vhost}/connections`,
  })) as unknown[];
  return found.length;
}

async function openWorkers(t: TestContext, url: string | readonly string[], queueCount: number) {
  const lines: string[] = [];
  const log = (text: unknown) => lines.push(String(text));
  const connection = await createConnection({
    url,
    name: 'shared test',
    logger: { info: log, warn: log, error: log },
  });
  t.after(() => connection.close({ deadline: 0 }));
  const topology = topologyOf(queueCount);
  const got: string[] = [];
  const publisher = await createPublisher({ connection, topology });
  const workers = await Promise.all(
    Object.keys(topology.queues).map((queue) =>
      createWorker({
        connection,
        topology,
        queue,
        handler: ({ type, body }) => {
          got.push(`${type} ${body}`);
        },
      }),
    ),
  );
  return { connection, topology, publisher, workers, got, lines };
}

test('twelve workers and a publisher share two connections', async (t) => {
  const { amqpUrl, vhost } = await testBroker(t);
  const { publisher, got, connection } = await openWorkers(t, amqpUrl, 12);
  await Promise.all(
    Array.from({ length: 12 }, (_, index) => publisher.publish(`work${index}`, index)),
  );
  await eventually(() => got.length === 12, { describe: () => got.join(', ') });
  await eventually(async () => (await connectionCount(vhost)) === 2, {
    describe: async () => `${await connectionCount(vhost)} connections`,
  });
  await connection.close();
  await assert.rejects(publisher.publish('work0', 1), /CLOSED/);
});

test('a lost connection is one line, its recovery another; all workers consume again', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const proxy = await openProxy(t, amqpUrl);
  const { publisher, got, lines, connection, workers } = await openWorkers(t, proxy.url, 3);
  proxy.cut();
  await eventually(() => !connection.isUp, { describe: () => 'still up' });
  assert.equal(workers[0]!.health, 'disconnected');
  // It waits for the connection within its timeout; one that was sent to the lost connection is sent again.
  const publish = async (index: number): Promise<void> => {
    const { error } = await publisher.tryPublish(`work${index}`, index);
    if (error?.code === 'CONNECTION_LOST') await publish(index);
    else assert.equal(error, undefined);
  };
  await Promise.all([0, 1, 2].map(publish));
  await eventually(() => new Set(got).size === 3, { describe: () => got.join(', ') });
  await eventually(() => lines.length >= 2, { describe: () => lines.join('\n') });
  assert.match(lines[0] ?? '', /lost .*connecting again/);
  assert.match(lines[1] ?? '', /connected to .* again/);
  assert.equal(lines.length, 2, lines.join('\n'));
  assert.equal(workers[0]!.health, 'running');
});

test('nothing opens on a connection that is closed, or while it closes', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const proxy = await openProxy(t, amqpUrl);
  const options = { url: proxy.url, logger: false, connectTimeout: 'forever' } as const;
  const topology = topologyOf(1);
  const handler = () => undefined;
  const isClosed = { name: 'ConnectError', code: 'CLOSED' };
  const closing = await createConnection(options);
  const [worker, publisher] = [
    assert.rejects(
      createWorker({ connection: closing, topology, queue: 'work0', handler }),
      isClosed,
    ),
    assert.rejects(createPublisher({ connection: closing, topology }), isClosed),
  ];
  await closing.close();
  await Promise.all([worker, publisher]);
  await assert.rejects(createPublisher({ connection: closing, topology }), isClosed);
  await assert.rejects(
    createWorker({ connection: closing, topology, queue: 'work0', handler }),
    isClosed,
  );
  const lost = await createConnection(options);
  proxy.cut();
  proxy.holdReplies();
  await eventually(() => !lost.isUp, { describe: () => 'still up' });
  const waiting = assert.rejects(createPublisher({ connection: lost, topology }), isClosed);
  await lost.close();
  await waiting;
});

test('a user without the right to configure is told so, and may check', async (t) => {
  const { amqpUrl, vhost } = await testBroker(t);
  const user = `reader-${randomUUID()}`;
  await askManagement({
    method: 'PUT',
    path: `/api/users/${user}`,
    body: { password: 'secret', tags: '' },
  });
  t.after(() => askManagement({ method: 'DELETE', path: `/api/users/${user}` }));
  await askManagement({
    method: 'PUT',
    path: `/api/permissions/${vhost}/${user}`,
    body: { configure: '', write: '.*', read: '.*' },
  });
  const topology = topologyOf(1);
  const operator = await createConnection({ url: amqpUrl, logger: false });
  t.after(() => operator.close());
  await createPublisher({ connection: operator, topology });
  const url = Object.assign(new URL(amqpUrl), { username: user, password: 'secret' }).href;
  const connection = await createConnection({ url, logger: false });
  t.after(() => connection.close());
  await assert.rejects(createPublisher({ connection, topology }), {
    code: 'BROKER_REFUSED',
    message: /DECLARE_REFUSED .*assert: 'check'/,
  });
  const publisher = await createPublisher({ connection, topology, assert: 'check' });
  await publisher.publish('work0', 1);
});

test('a worker that may not read its queue is refused, one that loses the right says so and goes on when it has it again', async (t) => {
  const { amqpUrl, vhost } = await testBroker(t);
  const user = `reader-${randomUUID()}`;
  const grant = (read: string) =>
    askManagement({
      method: 'PUT',
      path: `/api/permissions/${vhost}/${user}`,
      body: { configure: '.*', write: '.*', read },
    });
  await askManagement({
    method: 'PUT',
    path: `/api/users/${user}`,
    body: { password: 'secret', tags: '' },
  });
  t.after(() => askManagement({ method: 'DELETE', path: `/api/users/${user}` }));
  const topology = topologyOf(1);
  const operator = await createConnection({ url: amqpUrl, logger: false });
  t.after(() => operator.close());
  const publisher = await createPublisher({ connection: operator, topology });
  const url = Object.assign(new URL(amqpUrl), { username: user, password: 'secret' }).href;
  const seen: number[] = [];
  const options = {
    topology,
    assert: 'never',
    queue: 'work0',
    handler: ({ body }: { readonly body: number }) => {
      seen.push(body);
    },
  } as const;

  await grant('^other$');
  const refused = await createConnection({ url, logger: false });
  t.after(() => refused.close());
  await assert.rejects(createWorker({ connection: refused, ...options }), {
    code: 'BROKER_REFUSED',
    message: /READ_REFUSED work0/,
  });
  await assert.rejects(
    createDeadLetterWorker({
      connection: refused,
      topology,
      assert: 'never',
      queue: 'work0',
      handler: () => undefined,
    }),
    { code: 'BROKER_REFUSED', message: /READ_REFUSED work0\.dead/ },
  );

  await grant('.*');
  const proxy = await openProxy(t, url);
  const connection = await createConnection({ url: proxy.url, logger: false });
  t.after(() => connection.close());
  const worker = await createWorker({ connection, ...options });
  await publisher.publish('work0', 1);
  await eventually(() => seen.length === 1, { describe: () => seen.join() });
  await grant('^other$');
  proxy.cut();
  await eventually(() => worker.health === 'refused', { describe: () => worker.health });
  await publisher.publish('work0', 2);
  await grant('.*');
  await eventually(() => seen.length === 2 && worker.health === 'running', {
    deadlineMs: 30_000,
    describe: () => `${worker.health}: ${seen.join()}`,
  });
});

test('of several URLs the first one that answers is taken', async (t) => {
  const { amqpUrl } = await testBroker(t);
  for (let round = 0; round < 3; round += 1) {
    const connection = await createConnection({ url: [DEAD, amqpUrl, DEAD], logger: false });
    assert.ok(connection.isUp);
    await connection.close();
  }
});
