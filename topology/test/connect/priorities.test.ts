/** Goal: named priorities order messages, and are kept. Method: a real broker and a simulation; pure for what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, testBroker } from '@fit/stack/testing';
import {
  createConnection,
  createPublisher,
  createWorker,
  defineTopology,
  isAtLeast,
  planTopology,
  priorityNumber,
  provePlan,
  reject,
  retry,
  TopologyError,
} from '@fit/topology';
import { openDeadLetterReader } from '@fit/topology/amqp';
import { simulate } from '@fit/topology/testing';
import { z } from 'zod';
import { brokerVersion } from '../support/brokerFacts.ts';

const print = defineTopology({
  exchange: 'print',
  messages: { page: z.string() },
  queues: {
    printer: {
      on: ['page'],
      retry: { delays: ['50ms', '100ms'] },
      priorities: ['low', 'normal', 'high'],
    },
  },
});
const PAGES = [
  ['a', 'low'],
  ['b', undefined],
  ['c', 'normal'],
  ['d', 'high'],
  ['e', 'low'],
  ['f', 'high'],
] as const;
const IN_ORDER = ['d', 'f', 'b', 'c', 'a', 'e'];
const broker = { version: await brokerVersion(), hasManagement: false };
const hasLevels = isAtLeast(broker, '4.3.0');

test('numbers lie around that of messages without a priority, and names that mean two numbers are refused', () => {
  const numbers = (...names: string[]) => names.map((name) => priorityNumber(names, name));
  assert.deepEqual(numbers('normal', 'high'), [4, 5]);
  assert.deepEqual(numbers('low', 'normal', 'high'), [3, 4, 5]);
  assert.deepEqual(numbers('a', 'b', 'c', 'd', 'e'), [2, 3, 4, 5, 6]);
  const withLists = (first: readonly string[], second: readonly string[]) => () =>
    defineTopology({
      exchange: 'print',
      messages: { page: z.string() },
      queues: {
        one: { on: ['page'], retry: { delays: ['1s'] }, priorities: first },
        two: { on: ['page'], retry: { delays: ['1s'] }, priorities: second },
      },
    });
  withLists(['low', 'normal', 'high'], ['normal', 'high'])();
  assert.throws(withLists(['low', 'high'], ['low', 'normal', 'high']), (error: unknown) => {
    assert.ok(error instanceof TopologyError);
    assert.deepEqual(
      error.faults.map(({ code, subject }) => `${code} ${subject}`),
      ['PRIORITY_CONFLICT messages.page'],
    );
    return true;
  });
  for (const version of ['3.13.7', '4.0.5', '4.2.0'])
    assert.throws(
      () => {
        const plan = planTopology(print.declaration, { version, hasManagement: true });
        provePlan(print.declaration, plan);
      },
      /PRIORITY_UNSUPPORTED printer/,
      version,
    );
});

test('a simulation delivers higher priorities first, refuses unknown ones, and keeps them', async () => {
  const seen: string[] = [];
  const simulation = simulate(print, {
    handlers: { printer: { concurrency: 1, handler: ({ body }) => void seen.push(body) } },
  });
  for (const [page, priority] of PAGES)
    await simulation.publish('page', page, priority === undefined ? {} : { priority });
  // @ts-expect-error: top is no priority
  await assert.rejects(simulation.publish('page', 'x', { priority: 'top' }), {
    code: 'INVALID',
    message: /has low, normal, high/,
  });
  await simulation.settle();
  assert.deepEqual(seen, IN_ORDER);
});

test('a broker delivers higher priorities first, also after a wait, and a dead letter has its own', async (t) => {
  if (!hasLevels) {
    t.skip(`RabbitMQ ${broker.version} has no three levels`);
    return;
  }
  const { amqpUrl } = await testBroker(t);
  const connection = await createConnection({ url: amqpUrl, logger: false });
  t.after(() => connection.close({ deadline: 0 }));
  const publisher = await createPublisher({ connection, topology: print });
  for (const [page, priority] of PAGES)
    await publisher.publish('page', page, {
      id: page,
      ...(priority === undefined ? {} : { priority }),
    });
  const seen: string[] = [];
  const later: string[] = [];
  await createWorker({
    connection,
    topology: print,
    queue: 'printer',
    concurrency: 1,
    breaker: false,
    handler: ({ body, attempt }) => {
      if (attempt.number === 1) {
        seen.push(body);
        // Two ways to a later attempt: the broker's own, and a copy that skips a wait.
        return body === 'c' || body === 'd' ? retry(undefined, { after: 100 }) : retry();
      }
      later.push(body);
      return reject(new Error('no paper'));
    },
  });
  await eventually(() => later.length === PAGES.length, {
    describe: () => JSON.stringify({ seen, later }),
  });
  // Prefetched messages are not passed: there were none when the worker began.
  assert.deepEqual(seen, IN_ORDER);
  const reader = await openDeadLetterReader(amqpUrl, 'printer.dead');
  t.after(() => reader.close());
  const dead = new Map<string | undefined, number | undefined>();
  for (let letter = await reader.next(); letter !== undefined; letter = await reader.next())
    dead.set(letter.properties.messageId, letter.properties.priority);
  assert.deepEqual(
    PAGES.map(([page]) => dead.get(page)),
    [3, undefined, 4, 5, 3, 5],
  );
});
