/**
 * Goal: message-queue answers as its README says, and loses nothing while a consumer is killed and the broker restarts.
 * Method: its start.ts as a process of its own, on a broker of this file's own; the requests are those of the README.
 */
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { type BrokerSuite, freePorts, type Stack, startStack } from '@fit/stack';
import { eventually, testBroker } from '@fit/stack/testing';
import { Program } from './support/program.ts';
import { readmeRequests, send } from './support/readmeRequests.ts';

const DEADLINE_MS = 60_000;
const own: { stack?: Stack } = {};

before(async () => {
  own.stack = await startStack({
    name: `example-test-${process.pid}`,
    ports: await freePorts(),
    servers: ['rabbitmq'],
    brokerSuite: (process.env['FIT_TEST_BROKER_SUITE'] ?? 'sid') as BrokerSuite,
  });
});
after(async () => {
  await own.stack?.stop({ purge: true });
});

/** Starts it on free ports, and waits until it is ready. */
async function start(
  t: TestContext,
  amqpUrl: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
) {
  const program = new Program(
    t,
    { amqpUrl, managementUrl: '', vhost: '' },
    ['message-queue/start.ts', ...args],
    { PRODUCER_PORT: '0', CONSUMER_PORT: '0', ...variables },
  );
  const describe = () => program.lines.join('\n');
  await eventually(() => program.lines.some((line) => line.startsWith('started: ')), {
    deadlineMs: DEADLINE_MS,
    describe,
  });
  const services = () =>
    program.lines.flatMap((line) => {
      const [, name, origin, pid] = /^(\w+) ready at (\S+), pid (\d+)$/.exec(line) ?? [];
      return name === undefined || origin === undefined ? [] : [{ name, origin, pid: Number(pid) }];
    });
  const producer = services().find(({ name }) => name === 'producer')!.origin;
  const consumers = services().filter(({ name }) => name === 'consumer');
  const processed = () => {
    const found = program.lines.filter((line) => line.startsWith('processed '));
    return new Set(found.map((line) => line.slice('processed '.length)));
  };
  const waitFor = (probe: () => boolean | Promise<boolean>) =>
    eventually(probe, { deadlineMs: DEADLINE_MS, describe });
  return { program, services, producer, consumers, processed, waitFor };
}

async function produce(producer: string, body: unknown): Promise<Response> {
  return await fetch(`${producer}/produce`, { method: 'POST', body: JSON.stringify(body) });
}

async function metric(origin: string, name: string): Promise<number> {
  const page = await (await fetch(`${origin}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(page)?.[1]);
}

test('the requests of the README are answered as it says, and wrong ones name the field', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const { program, producer, consumers, processed, waitFor } = await start(t, amqpUrl, []);
  const consumer = consumers[0]!.origin;
  const answers: unknown[] = [];
  const pages: string[] = [];
  for (const request of await readmeRequests('message-queue')) {
    const response = await send(request, request.port === 5_000 ? producer : consumer);
    assert.equal(response.status, 200, request.path);
    if (request.path === '/metrics') pages.push(await response.text());
    else answers.push(await response.json());
  }
  const [health, produced, batch] = answers as Record<string, unknown>[];
  for (const answer of [health!, produced!]) {
    assert.ok(!Number.isNaN(Date.parse(answer['timestamp'] as string)));
    delete answer['timestamp'];
  }
  assert.deepEqual(
    [health, produced, batch],
    [
      { status: 'healthy' },
      { status: 'success', message_id: '1' },
      { status: 'success', messages_produced: 2 },
    ],
  );
  await waitFor(() => ['1', '2', '3'].every((id) => processed().has(id)));
  await waitFor(async () => (await metric(consumer, 'messages_consumed_total')) === 3);
  assert.equal(await metric(producer, 'messages_produced_total'), 3);
  assert.equal(await metric(consumer, 'message_processing_errors_total'), 0);
  assert.equal(await metric(consumer, 'message_processing_duration_seconds_count'), 3);
  assert.match(
    pages[0]!,
    /http_request_duration_seconds_count{method="POST",route="\/produce",status="200"} 1/,
  );

  const refused: [path: string, body: string, status: number, field: string][] = [
    ['/produce', '{', 400, 'body'],
    ['/produce', '[]', 400, 'body'],
    ['/produce', '{"payload": 1}', 400, 'id'],
    ['/produce', '{"id": "a"}', 400, 'payload'],
    ['/produce', '{"id": "a", "payload": 1, "processing_time": -1}', 400, 'processing_time'],
    ['/produce', '{"id": "a", "payload": 1, "procesing_time": 1}', 400, 'procesing_time'],
    ['/produce', `{"id": "a", "payload": "${'x'.repeat(1024 * 1024)}"}`, 413, 'body'],
    ['/batch-produce', '{"messages": []}', 400, 'messages'],
    [
      '/batch-produce',
      '{"messages": [{"id": "a", "payload": 1}, {"id": ""}]}',
      400,
      'messages.1.id',
    ],
  ];
  for (const [path, body, status, field] of refused) {
    const response = await fetch(`${producer}${path}`, { method: 'POST', body });
    const answer = (await response.json()) as Record<string, string>;
    assert.deepEqual(
      [response.status, answer['status'], answer['field']],
      [status, 'error', field],
    );
    assert.notEqual(answer['reason'], '');
  }
  assert.equal(await metric(producer, 'messages_produced_total'), 3, 'nothing of these was sent');
  await program.stop();
  assert.equal(program.exitCode, 0, program.lines.join('\n'));
});

test('a message that always fails is tried four times, and is a dead letter', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const { program, producer, consumers, waitFor } = await start(t, amqpUrl, [], {
    FAILURE_RATE: '1',
    RETRY_DELAYS: '100ms,200ms,300ms',
  });
  assert.equal((await produce(producer, { id: 7, payload: null })).status, 200);
  await waitFor(() => program.lines.some((line) => line.startsWith('dead letter, exhausted')));
  assert.equal(await metric(consumers[0]!.origin, 'message_processing_errors_total'), 4);
  assert.equal(await metric(consumers[0]!.origin, 'messages_consumed_total'), 0);
});

test('five consumers, one killed, the broker restarted: everything accepted is processed', async (t) => {
  const stack = own.stack!;
  const { program, services, producer, consumers, processed, waitFor } = await start(
    t,
    stack.amqpUrl,
    ['--workers', '5'],
    { PREFETCH_COUNT: '2' },
  );
  assert.equal(consumers.length, 5);
  const ids = Array.from({ length: 300 }, (_, index) => `m${index}`);
  const producing = (async () => {
    // Without a confirm it is sent again, as a client would do.
    for (const id of ids)
      await eventually(
        async () => (await produce(producer, { id, payload: id, processing_time: 0.05 })).ok,
        { deadlineMs: DEADLINE_MS, describe: () => `${id} was not accepted` },
      );
  })();
  await waitFor(() => processed().size >= 30);
  process.kill(consumers[0]!.pid, 'SIGKILL');
  await waitFor(() => processed().size >= 60);
  await stack.kill('rabbitmq');
  await stack.restart('rabbitmq');
  await producing;
  await waitFor(() => processed().size === ids.length);
  assert.deepEqual(processed(), new Set(ids));
  await waitFor(() => services().filter(({ name }) => name === 'consumer').length === 6);
  // Copies of what was sent again, or was delivered when the broker ended, are processed as well.
  let queues = '';
  await eventually(
    async () => {
      queues = await stack.rabbitmqctl(['list_queues', '--silent', 'name', 'messages']);
      return queues
        .trim()
        .split('\n')
        .every((line) => line.endsWith('\t0'));
    },
    { deadlineMs: DEADLINE_MS, intervalMs: 500, describe: () => queues },
  );
  await program.stop();
  assert.equal(program.exitCode, 0, program.lines.join('\n'));
});

test('the load test prints throughput and percentiles, and ends', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const { program } = await start(t, amqpUrl, ['--workers', '2', '--load', '50']);
  await program.succeeds();
  const printed = program.lines.join('\n');
  assert.match(printed, /^produced {2}\d+\/s/m);
  assert.match(printed, /^consumed {2}\d+\/s/m);
  assert.match(printed, /p50 [\d.]+ ms, p90 [\d.]+ ms, p95 [\d.]+ ms, p99 [\d.]+ ms/);
});
