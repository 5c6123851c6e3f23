/**
 * Goal: no task is lost, and each ends once, while a consumer and the main service are killed and the broker is restarted. Method:
 * the requests of the README, on a broker of its own, since the shared one must not be restarted.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { freePorts, type Stack, startStack } from '@fit/stack';
import { eventually, testDatabaseUrl } from '@fit/stack/testing';
import { MongoClient } from 'mongodb';
import { Program } from './support/program.ts';
import { readmeRequests } from './support/readmeRequests.ts';

const TASKS = 120;
/** Printed by a consumer whose report was accepted. */
const REPORTED = /^consumer \d+: (\S{36}) (success|error)$/;

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Board {
  readonly program: Program;
  readonly broker: Stack;
  readonly request: (method: string, path: string, body?: unknown) => Promise<Answer>;
}

async function startBoard(t: TestContext): Promise<Board> {
  const databaseUrl = testDatabaseUrl();
  const ports = await freePorts();
  const broker = await startStack({
    name: `task-board-${process.pid}`,
    ports,
    servers: ['rabbitmq'],
  });
  t.after(async () => {
    await broker.stop({ purge: true });
    await using client = new MongoClient(databaseUrl);
    await client.db().dropDatabase();
  });
  const program = new Program(
    t,
    { amqpUrl: broker.amqpUrl, managementUrl: broker.managementUrl ?? '', vhost: '/' },
    ['task-board/start.ts', '--workers', '5'],
    {
      MONGODB_URL: databaseUrl,
      PORT: String(ports.monolith),
      FAILURE_SHARE: '0.3',
      WORK_MS: '100',
    },
  );
  const request = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`http://127.0.0.1:${ports.monolith}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };
  await eventually(async () => (await request('GET', '/healthz')).status === 200, {
    deadlineMs: 60_000,
    describe: () => program.lines.join('\n'),
  });
  return { program, broker, request };
}

test('every task ends once, whatever is killed', async (t) => {
  const { program, broker, request } = await startBoard(t);
  const dataOf = (id: string) => request('GET', `/api/v1/get-task-data?taskId=${id}`);
  const change = (id: string, status: string) =>
    request('PUT', `/api/v1/update-task-status?taskId=${id}&taskStatus=${status}`);
  const create = async (text: string) => {
    const { status, body } = await request('POST', '/api/v1/create-task', { text });
    const task = body as { id: string; text: string; status: string };
    assert.deepEqual([status, task.text, task.status], [201, text, 'waiting']);
    return task.id;
  };
  const statusOf = async (id: string) => ((await dataOf(id)).body as { status: string }).status;
  const hasEnded = (status: string) => status === 'success' || status === 'error';

  const limits = { deadlineMs: 120_000, describe: () => program.lines.join('\n') };
  let readmeId = '';
  const answers: number[] = [];
  for (const { method, path, body: text } of await readmeRequests('task-board')) {
    // The last one changes what has ended, and asks for an error where the work may have failed.
    if (method === 'PUT') await eventually(async () => hasEnded(await statusOf(readmeId)), limits);
    const { status, body } = await request(method, path.replace('$ID', readmeId), text);
    readmeId = (body as { id?: string }).id ?? readmeId;
    answers.push(status);
  }
  const last = (await statusOf(readmeId)) === 'error' ? 200 : 409;
  assert.deepEqual(answers, [201, 200, last]);

  const ids = [readmeId];
  for (let number = 0; number < TASKS; number += 1) ids.push(await create(`task ${number}`));
  await eventually(() => program.lines.some((line) => REPORTED.test(line)), limits);
  for (const name of ['consumer-1', 'main']) {
    const started = program.lines.find((line) => line.startsWith(`${name}: process `));
    process.kill(Number(started?.split(' ').at(-1)), 'SIGKILL');
  }
  await broker.restart('rabbitmq');

  const ends = new Map<string, string>();
  for (const id of ids)
    ends.set(
      id,
      await eventually(async () => {
        const status = await statusOf(id);
        return hasEnded(status) && status;
      }, limits),
    );
  assert.deepEqual(new Set(ends.values()), new Set(['success', 'error']));
  for (const name of ['consumer-1', 'main'])
    assert.ok(program.lines.includes(`${name}: ended (SIGKILL), started again`));
  const counts = 'list_queues name messages --silent --formatter=csv'.split(' ');
  await eventually(
    async () => {
      const lines = (await broker.rabbitmqctl(counts)).replaceAll('"', '').split('\n');
      return lines.includes('tasks,0') && lines.includes('tasks.dead,0');
    },
    { ...limits, describe: () => broker.rabbitmqctl(counts) },
  );

  // What a consumer was told is what the task still is.
  for (const line of program.lines) {
    const [, id = '', end] = REPORTED.exec(line) ?? [];
    if (end !== undefined) assert.equal(ends.get(id), end);
  }
  const [ended = ''] = ids;
  const end = ends.get(ended) ?? '';
  const other = end === 'success' ? 'error' : 'success';
  assert.equal((await change(ended, end)).status, 200);
  assert.deepEqual(await change(ended, other), {
    status: 409,
    body: {
      error: { field: 'taskStatus', reason: `a task that is '${end}' cannot become '${other}'` },
    },
  });
  assert.equal(await statusOf(ended), end);

  const missing = '00000000-0000-4000-8000-000000000000';
  const refusals: [Promise<Answer>, number, string][] = [
    [request('POST', '/api/v1/create-task', {}), 400, 'text'],
    [request('POST', '/api/v1/create-task', { text: ' ' }), 400, 'text'],
    [request('POST', '/api/v1/create-task', { text: 'a', color: 'red' }), 400, 'color'],
    [request('POST', '/api/v1/create-task', 'no JSON'), 400, 'body'],
    [request('POST', '/api/v1/create-task', { text: 'a'.repeat(70_000) }), 413, 'body'],
    [dataOf('7'), 400, 'taskId'],
    [dataOf(missing), 404, 'taskId'],
    [change(ended, 'done'), 400, 'taskStatus'],
    [change(missing, 'sent'), 404, 'taskId'],
  ];
  for (const [asked, status, field] of refusals) {
    const { status: answered, body } = await asked;
    const { error } = body as { error: { field: string; reason: string } };
    assert.deepEqual([answered, error.field], [status, field]);
    assert.ok(error.reason.length > 5);
  }
  await program.stop();
  assert.equal(program.exitCode, 0, limits.describe());
});
