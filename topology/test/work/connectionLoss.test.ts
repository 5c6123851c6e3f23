/**
 * Goal: a lost connection costs the time of one reconnection, and messages that may end a process keep nobody waiting.
 * Method: a worker on the real broker whose handlers wait at a gate, connections that are reset under it, and consumers
 * that vanish with messages unsettled, as a process that is killed.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { vanishHolding } from '../support/crashConsumer.ts';
import { HandlerGate } from '../support/handlerGate.ts';
import { openProxy } from '../support/openProxy.ts';
import { TestTopology } from '../support/testTopology.ts';

const PREFETCH_COUNT = 20;

async function openWithMessages(t: TestContext, count: number): Promise<TestTopology> {
  const environment = await TestTopology.open(t);
  await environment.publishAll(await environment.publisher(), count);
  return environment;
}

test('deliveries of a lost connection are no suspects: as many run at a time as before, after each of three losses', async (t) => {
  const environment = await openWithMessages(t, 60);
  const proxy = await openProxy(t, environment.amqpUrl);
  const gate = new HandlerGate();
  await environment.worker({ prefetchCount: PREFETCH_COUNT, amqpUrl: proxy.url, run: gate.run });
  await gate.untilRunning(PREFETCH_COUNT);
  for (let loss = 0; loss < 3; loss += 1) {
    const [held] = gate.current;
    proxy.cut();
    await eventually(() => held?.isCurrent === false, { describe: () => 'still connected' });
    // What runs for nobody any more keeps its place until it ends.
    gate.letThrough();
    await gate.untilRunning(PREFETCH_COUNT);
  }
  gate.openForGood();
  await gate.untilDone(60);
  await environment.expectEmpty();
});

test('deliveries of one other process that ended do not slow this worker down', async (t) => {
  const environment = await openWithMessages(t, 60);
  await vanishHolding(environment, PREFETCH_COUNT);
  const gate = new HandlerGate();
  await environment.worker({ prefetchCount: PREFETCH_COUNT, run: gate.run });
  await gate.untilRunning(PREFETCH_COUNT);
  assert.ok(
    gate.current.every(({ isRedelivered }) => isRedelivered),
    'the broker hands out first what was returned',
  );
  gate.openForGood();
  await gate.untilDone(60);
  await environment.expectEmpty();
});

test('deliveries of two other processes that ended run a few at a time at first, then as many as before', async (t) => {
  const environment = await openWithMessages(t, 60);
  for (let end = 0; end < 2; end += 1) await vanishHolding(environment, 6);
  const gate = new HandlerGate();
  await environment.worker({ prefetchCount: PREFETCH_COUNT, run: gate.run, suspectConcurrency: 3 });
  await gate.untilRunning(3);
  assert.ok(gate.current.every(({ isRedelivered }) => isRedelivered));
  gate.letThrough();
  await gate.untilDone(3);
  await gate.untilRunning(3);
  assert.ok(gate.current.every(({ isRedelivered }) => isRedelivered));
  gate.letThrough();
  await gate.untilRunning(PREFETCH_COUNT);
  gate.openForGood();
  await gate.untilDone(60);
  await environment.expectEmpty();
});

test('one crash before the limit: each runs with nothing beside it, and none of them is dead', async (t) => {
  const environment = await openWithMessages(t, 40);
  const { crashLimit } = environment.kind;
  for (let end = 1; end < crashLimit; end += 1) await vanishHolding(environment, 3);
  const gate = new HandlerGate();
  const beside: number[] = [];
  await environment.worker({
    prefetchCount: PREFETCH_COUNT,
    run: (task) => {
      const answer = gate.run(task);
      if (task.delivery.isRedelivered) beside.push(gate.current.length - 1);
      return answer;
    },
  });
  for (let last = 0; last < 3; last += 1) {
    await eventually(() => beside.length === last + 1, { describe: () => beside.join(', ') });
    gate.letThrough();
  }
  await gate.untilRunning(PREFETCH_COUNT);
  assert.deepEqual(beside, [0, 0, 0]);
  gate.openForGood();
  await gate.untilDone(40);
  await environment.expectEmpty();
});

test('a count of deliveries that a client sent changes nothing: none is refused, and as many run at a time as without', async (t) => {
  const environment = await TestTopology.open(t);
  await environment.publisher();
  const channel = await environment.model.createConfirmChannel();
  for (let index = 0; index < 60; index += 1) {
    const headers = { 'x-delivery-count': 1 + (index % 9), 'x-acquired-count': 9 };
    channel.publish('jobs', 'job.one', Buffer.of(), { messageId: `m${index}`, headers });
  }
  await channel.waitForConfirms();
  const gate = new HandlerGate();
  const seen: unknown[] = [];
  await environment.worker({
    prefetchCount: PREFETCH_COUNT,
    run: (task) => {
      const { headers } = task.delivery;
      seen.push(headers['x-delivery-count'], headers['x-acquired-count']);
      return gate.run(task);
    },
  });
  await gate.untilRunning(PREFETCH_COUNT);
  gate.openForGood();
  await gate.untilDone(60);
  assert.deepEqual(new Set(seen), new Set([undefined]));
  await environment.expectEmpty();
});
