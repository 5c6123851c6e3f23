/**
 * Goal: task-events notifies once of each change, whatever fails. Method: its start.ts as a process of its own, on a broker
 * and a cache of this file's own; the walk of its README.
 */
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { type BrokerSuite, freePorts, type Stack, startStack } from '@fit/stack';
import { eventually, testDatabaseUrl } from '@fit/stack/testing';
import { createPublisher, defineTopology } from '@fit/topology';
import { Inspector } from '@fit/topology/amqp';
import { MongoClient } from 'mongodb';
import { z } from 'zod';
import { measureLoad } from '../task-events/load.ts';
import { Program } from './support/program.ts';

const DEADLINE_MS = 90_000;
const own: { stack?: Stack } = {};

before(async () => {
  own.stack = await startStack({
    name: `example-events-${process.pid}`,
    ports: await freePorts(),
    servers: ['rabbitmq', 'redis'],
    brokerSuite: (process.env['FIT_TEST_BROKER_SUITE'] ?? 'sid') as BrokerSuite,
  });
});
after(async () => {
  await own.stack?.stop({ purge: true });
});

interface Shown {
  readonly id: string;
  readonly status: string;
}

interface Notified {
  readonly eventId: string;
  readonly type: string;
  readonly text: string;
}

const RETRY_DELAYS = ['100ms', '200ms', '300ms'] as const;

/** Starts it in a virtual host and a database of its own. */
async function start(
  t: TestContext,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
) {
  const stack = own.stack!;
  const vhost = `test-${crypto.randomUUID()}`;
  await stack.rabbitmqctl(['add_vhost', vhost]);
  await stack.rabbitmqctl(['set_permissions', '-p', vhost, 'guest', '.*', '.*', '.*']);
  const amqpUrl = new URL(stack.amqpUrl);
  amqpUrl.pathname = `/${vhost}`;
  const databaseUrl = new URL(testDatabaseUrl());
  const database = databaseUrl.pathname.slice(1);
  databaseUrl.pathname = '/';
  const redis = stack.servers.find(({ name }) => name === 'redis')!.url.replace(/^unix:/, '');
  t.after(async () => {
    const client = new MongoClient(databaseUrl.href);
    await client.db(database).dropDatabase();
    await client.close();
  });
  const program = new Program(
    t,
    { amqpUrl: amqpUrl.href, managementUrl: '', vhost },
    ['task-events/start.ts', ...args],
    {
      MONGODB_URL: databaseUrl.href,
      MONGODB_DATABASE: database,
      REDIS_URL: redis,
      PORT: '0',
      RETRY_DELAYS: RETRY_DELAYS.join(','),
      ...variables,
    },
  );
  const describe = () => program.lines.slice(-40).join('\n');
  const waitFor = (probe: () => boolean | Promise<boolean>) =>
    eventually(probe, { deadlineMs: DEADLINE_MS, describe });
  await waitFor(() => program.lines.some((line) => line.startsWith('started: ')));
  const api = /^started: API at ([^,]+),/m.exec(program.lines.join('\n'))![1]!;
  const call = async (method: string, path: string, body?: unknown) =>
    await fetch(`${api}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : {
            headers: { 'content-type': 'application/json' },
            body: typeof body === 'string' ? body : JSON.stringify(body),
          }),
    });
  const make = async (path: string, body: unknown): Promise<Shown> => {
    const response = await call('POST', path, body);
    assert.equal(response.status, 201, `${path}: ${await response.clone().text()}`);
    return (await response.json()) as Shown;
  };
  const notifications = async (taskId = '') => {
    const query = taskId === '' ? '' : `?taskId=${taskId}`;
    return (await (await call('GET', `/notifications${query}`)).json()) as Notified[];
  };
  const sentLines = () => program.lines.filter((line) => line.includes('e-mail sent'));
  return { program, api, amqpUrl: amqpUrl.href, call, make, notifications, sentLines, waitFor };
}

const USER = { name: 'ann', email: 'ann@example.org' };
const taskOf = (userId: string) => ({ title: 'plants', description: '', status: 'todo', userId });

test('the walk: tasks are kept, cached, changed, deleted; each change is notified of once; wrong requests name the field; the load test prints', async (t) => {
  const { program, api, call, make, notifications, waitFor } = await start(t, ['--workers', '1']);
  const user = await make('/users', USER);
  const category = await make('/categories', { name: 'home' });
  const task = await make('/tasks', { ...taskOf(user.id), categoryId: category.id });
  const path = `/tasks/${task.id}`;
  const instances = new Set<string | null>();
  const read = async () => {
    const response = await call('GET', path);
    instances.add(response.headers.get('x-instance'));
    const { status } = (await response.json()) as Shown;
    return [response.status, response.headers.get('x-cache'), status];
  };
  assert.deepEqual(await read(), [200, 'miss', 'todo']);
  assert.deepEqual(await read(), [200, 'hit', 'todo']);
  assert.equal(instances.size, 2);
  const listed = async (query: string) =>
    ((await (await call('GET', `/tasks?${query}`)).json()) as Shown[]).map(({ id }) => id);
  assert.deepEqual(await listed(`status=todo&userId=${user.id}`), [task.id]);
  assert.equal((await call('PUT', path, { ...taskOf(user.id), status: 'done' })).status, 200);
  assert.deepEqual(await read(), [200, 'miss', 'done']);
  assert.deepEqual(await listed(`status=todo&userId=${user.id}`), []);
  assert.equal((await call('PATCH', path, { status: 'in_progress' })).status, 200);
  assert.deepEqual(await read(), [200, 'miss', 'in_progress']);
  assert.equal((await call('DELETE', path)).status, 204);
  assert.equal((await call('GET', path)).status, 404);
  await waitFor(async () => (await notifications(task.id)).length === 4);
  assert.deepEqual((await notifications(task.id)).map(({ type }) => type).sort(), [
    'TASK_CREATED',
    'TASK_DELETED',
    'TASK_UPDATED',
    'TASK_UPDATED',
  ]);

  const refused: [method: string, path: string, body: unknown, status: number, field: string][] = [
    ['POST', '/users', { name: 'ann', email: 'nowhere' }, 400, 'email'],
    ['POST', '/tasks', '{', 400, 'body'],
    ['POST', '/tasks', { ...taskOf(user.id), title: '' }, 400, 'title'],
    ['POST', '/tasks', { ...taskOf(user.id), status: 'started' }, 400, 'status'],
    ['POST', '/tasks', { ...taskOf(user.id), titel: 'x' }, 400, 'titel'],
    ['POST', '/tasks', taskOf(crypto.randomUUID()), 400, 'userId'],
    ['GET', '/tasks?status=started', undefined, 400, 'status'],
    ['PUT', '/tasks/nothing', taskOf(user.id), 404, 'id'],
    ['DELETE', '/tasks/nothing', undefined, 404, 'id'],
  ];
  for (const [method, wrongPath, body, status, field] of refused) {
    const response = await call(method, wrongPath, body);
    const answer = (await response.json()) as { field: string; reason: string };
    assert.deepEqual([response.status, answer.field], [status, field], `${method} ${wrongPath}`);
    assert.notEqual(answer.reason, '');
  }
  const document = (await (await call('GET', '/openapi.json')).json()) as { paths: object };
  assert.ok('/tasks/{id}' in document.paths);
  assert.match(await (await call('GET', '/docs')).text(), /PATCH \/tasks\/\{id\}/);

  const { signal } = new AbortController();
  const print = t.mock.method(console, 'log', () => undefined);
  await measureLoad({ api, requests: 40, concurrency: 4, signal });
  const printed = print.mock.calls.map(({ arguments: [line] }) => String(line));
  print.mock.restore();
  assert.match(printed[0]!, /^40 requests, 4 at a time: \d+\/s/);
  assert.equal(printed.filter((line) => / ms \[ *\d+\]/.test(line)).length, 10);
  assert.match(printed.at(-1)!, /^p50 [\d.]+ ms, p90/);
  await program.stop();
  assert.equal(program.exitCode, 0, program.lines.join('\n'));
});

test('three failures move a retry between workers; the same event twice notifies once; a wrong event is dead', async (t) => {
  const { program, amqpUrl, make, notifications, sentLines, waitFor } = await start(
    t,
    ['--workers', '2'],
    { FAIL_FIRST: '3' },
  );
  const user = await make('/users', USER);
  const task = await make('/tasks', taskOf(user.id));
  await waitFor(async () => (await notifications(task.id)).length === 1);
  const [notified] = await notifications(task.id);
  const attempts = program.lines.filter((line) => line.includes(notified!.eventId));
  assert.equal(attempts.filter((line) => line.endsWith(': failed')).length, 3);
  const workers = new Set(attempts.map((line) => line.split(':')[0]));
  assert.ok(workers.size > 1, attempts.join('\n'));

  // A publisher without the schema of the example, since that would refuse the wrong event.
  const unchecked = defineTopology({
    exchange: 'tasks',
    messages: { event: z.unknown() },
    queues: { task_events: { on: ['event'], retry: { delays: RETRY_DELAYS } } },
  });
  const publisher = await createPublisher({
    connection: amqpUrl,
    topology: unchecked,
    assert: 'never',
  });
  t.after(() => publisher.close());
  await publisher.publish('event', {
    type: 'TASK_CREATED',
    payload: { id: task.id, title: 'plants', userId: user.id },
    metadata: { eventId: notified!.eventId, timestamp: new Date().toISOString() },
  });
  await waitFor(() => program.lines.some((line) => line.endsWith(': was sent before')));
  assert.equal((await notifications(task.id)).length, 1);
  assert.equal(sentLines().length, 1);
  await publisher.publish('event', { type: 'TASK_LOST' });
  await waitFor(() => program.lines.some((line) => line.includes('dead letter')));
  // Scripts know these names.
  const inspector = await Inspector.open({ url: amqpUrl, label: 'example test' });
  t.after(() => inspector.close());
  const counts = ['task_events.retry.1', 'task_events.retry.2', 'task_events.dlq'].map(
    async (queue) => (await inspector.depthOf(queue)).readyCount,
  );
  assert.deepEqual(await Promise.all(counts), [0, 0, 1]);
});

test('five workers, one killed, the broker restarted: one notification of each task', async (t) => {
  const stack = own.stack!;
  const { program, make, notifications, sentLines, waitFor } = await start(t, ['--workers', '5'], {
    FAILURE_RATE: '0.02',
  });
  const user = await make('/users', USER);
  const ids = new Set<string>();
  const makeTasks = async (count: number) => {
    for (let index = 0; index < count; index += 1)
      ids.add((await make('/tasks', taskOf(user.id))).id);
  };
  await makeTasks(20);
  await waitFor(() => sentLines().length >= 5);
  const worker = /^notifier ready at \S+, pid (\d+)$/m.exec(program.lines.join('\n'))![1]!;
  const making = makeTasks(30);
  process.kill(Number(worker), 'SIGKILL');
  await stack.kill('rabbitmq');
  // Tasks are accepted while there is no broker: their events wait in the outbox.
  await making;
  await makeTasks(10);
  await stack.restart('rabbitmq');
  await makeTasks(20);
  await waitFor(async () => (await notifications()).length >= ids.size);
  await program.stop();
  assert.equal(program.exitCode, 0, program.lines.join('\n'));
  const found = sentLines().map((line) => / ([0-9a-f-]{36}): e-mail sent/.exec(line)?.[1]);
  assert.equal(new Set(found).size, found.length, 'no event is notified of twice');
  assert.equal(ids.size, 80);
});
