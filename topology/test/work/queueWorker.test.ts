/** Goal: what surrounds an attempt: circuit breaker, crash limit, priorities, drain. Method: a worker on a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import type { Delivery } from '@fit/topology/amqp';
import type { WorkerEvent } from '@fit/topology/work';
import { brokerFacts } from '../support/brokerFacts.ts';
import { crashConsumers } from '../support/crashConsumer.ts';
import { HandlerGate } from '../support/handlerGate.ts';
import { openProxy } from '../support/openProxy.ts';
import { TestTopology } from '../support/testTopology.ts';

class StoreDown extends Error {
  override readonly name = 'StoreDown';
}

test('while the store is down few attempts are spent, no job dies, and all are done when it is up again', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  await environment.publishAll(publisher, 200);
  const store = { isDown: true };
  const failures = new Map<string, number>();
  const done = new Set<string>();
  const events: WorkerEvent[] = [];
  await environment.worker({
    prefetchCount: 20,
    concurrency: 5,
    circuitBreaker: { sampleSize: 10, failureRatio: 0.8, pauseMs: 30, longestPauseMs: 100 },
    onEvent: (event) => events.push(event),
    run: async ({ delivery }) => {
      await new Promise(setImmediate);
      const id = delivery.messageId!;
      if (!store.isDown) done.add(id);
      else failures.set(id, (failures.get(id) ?? 0) + 1);
      if (store.isDown) throw new StoreDown('no answer');
      return { type: 'done', effect: undefined };
    },
  });
  const openings = () =>
    events.filter((event) => event.type === 'circuitBreaker' && event.state.type === 'open').length;
  await eventually(() => openings() >= 3, { describe: () => JSON.stringify(events) });
  const spentCount = [...failures.values()].reduce((sum, count) => sum + count, 0);
  store.isDown = false;
  await eventually(() => done.size === 200, { describe: () => `${done.size} done` });
  // The sample, the attempts beside it, and one for each probe: not one for each of 200 messages.
  assert.ok(spentCount <= 10 + 5 + openings(), `${spentCount} attempts were spent`);
  await environment.expectEmpty();
});

test('a circuit breaker that opens while thousands of messages arrive loses no connection, and no job dies', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const messageCount = 5_000;
  await environment.publishAll(publisher, messageCount);
  const store = { isDown: false };
  const losses: string[] = [];
  const done = new Set<string>();
  let openingCount = 0;
  await environment.worker({
    prefetchCount: 1_000,
    circuitBreaker: { sampleSize: 20, pauseMs: 20 },
    onSession: (event) => {
      if ('error' in event) losses.push(`${event.type}: ${event.error.message}`);
    },
    onEvent: (event) => {
      if (event.type !== 'circuitBreaker' || event.state.type !== 'open') return;
      openingCount += 1;
      store.isDown = false;
    },
    run: ({ delivery }) => {
      if (store.isDown) throw new StoreDown('no answer');
      done.add(delivery.messageId!);
      // The store goes down while messages arrive at full speed, and is up again for the first probe.
      if (done.size % 1_000 === 500) store.isDown = true;
      return { type: 'done', effect: undefined };
    },
  });
  await eventually(() => done.size === messageCount || losses.length > 0, {
    deadlineMs: 60_000,
    describe: () => `${done.size} of ${messageCount} are done after ${openingCount} openings`,
  });
  assert.deepEqual(losses, []);
  assert.ok(openingCount >= 5, `${openingCount} openings`);
  await environment.expectEmpty();
});

test('where the broker does not confirm a dead letter, the attempt is reported as a retry, and the message is retried', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const unconfirmed: unknown[] = [];
  const attempts: number[] = [];
  await environment.worker({
    onUnconfirmed: ({ attempt, outcome, step }) =>
      unconfirmed.push([attempt.number, outcome.type, step]),
    run: ({ attempt }) => {
      attempts.push(attempt.number);
      return attempt.number === 1
        ? { type: 'reject', error: new Error('hopeless') }
        : { type: 'done', effect: undefined };
    },
  });
  // Without the binding the broker returns dead letters to their publisher.
  const channel = await environment.model.createChannel();
  await channel.unbindQueue('one.dead', 'one.park', '');
  await environment.publishAll(publisher, 1);
  await eventually(() => attempts.length === 2, { describe: () => JSON.stringify(attempts) });
  assert.deepEqual(attempts, [1, 2]);
  const [delayMs] = environment.kind.tiersMs;
  assert.deepEqual(unconfirmed, [[1, 'retry', { type: 'wait', delayMs }]]);
  await environment.expectEmpty();
});

test('a handler in JavaScript that returns nothing is done; any other answer that is no outcome is retried', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const answers = new Map<string, unknown>([
    ['nothing', undefined],
    ['true', true],
    ['misspelt', { type: 'dnoe' }],
    ['no delay', { type: 'retry', after: 'soon', error: new Error('busy') }],
    ['done', { type: 'done' }],
  ]);
  const ends: string[] = [];
  await environment.worker({
    // The answer of a program that no compiler has seen.
    run: ({ delivery, attempt }) =>
      attempt.number > 1 ? undefined : (answers.get(delivery.messageId!) as undefined),
    settle: ({ delivery, attempt, outcome, settleDelivery }) => {
      const error = 'error' in outcome ? ` ${String(outcome.error).split(':')[0]}` : '';
      ends.push(`${delivery.messageId} ${attempt.number} ${outcome.type}${error}`);
      settleDelivery();
    },
  });
  for (const id of answers.keys()) await publisher.publish(environment.message(id));
  await eventually(() => ends.length === 8, { describe: () => ends.join(', ') });
  assert.deepEqual(ends.sort(), [
    'done 1 done',
    'misspelt 1 retry InvalidOutcome',
    'misspelt 2 done',
    'no delay 1 retry InvalidOutcome',
    'no delay 2 done',
    'nothing 1 done',
    'true 1 retry InvalidOutcome',
    'true 2 done',
  ]);
  await environment.expectEmpty();
});

test('a message with more crashes than the limit is refused before the handler, where the broker did not dead-letter it', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  await publisher.publish(environment.message('killer'));
  // Without its policy the broker does not end it.
  await environment.ask('DELETE', `/api/policies/${environment.vhost}/one`);
  assert.equal(
    await crashConsumers(environment, environment.kind.crashLimit + 1),
    environment.kind.crashLimit + 1,
  );
  const visits: unknown[] = [];
  const events: WorkerEvent[] = [];
  await environment.worker({
    onEvent: (event) => events.push(event),
    run: ({ delivery }) => {
      visits.push(delivery.messageId);
      return { type: 'done', effect: undefined };
    },
  });
  const deadLetters = await environment.takeDeadLetters(1);
  assert.deepEqual(
    deadLetters.map(({ id, cause }) => [id, cause]),
    [['killer', 'crashed']],
  );
  assert.deepEqual(visits, []);
  assert.ok(events.some(({ type }) => type === 'refused'));
});

test('an urgent message is delivered before earlier ones, also after a retry; a broker without priorities is refused', async (t) => {
  const environment = await TestTopology.open(
    t,
    declareTopology({
      exchange: 'jobs',
      kinds: {
        one: { key: 'job.one', queue: 'one', tiers: [100, 200], priorities: ['normal', 'high'] },
      },
    }),
  );
  if (!(await brokerFacts()).hasPriorities) {
    await assert.rejects(environment.publisher(), /PRIORITY_UNSUPPORTED one/);
    return;
  }
  const publisher = await environment.publisher();
  await environment.publishAll(publisher, 50);
  await publisher.publish(environment.message('urgent', { priority: 5 }));
  const order: string[] = [];
  const priorities: (number | undefined)[] = [];
  await environment.worker({
    prefetchCount: 1,
    run: ({ delivery, attempt }) => {
      order.push(delivery.messageId!);
      if (delivery.messageId !== 'urgent') return { type: 'done', effect: undefined };
      priorities.push(delivery.priority);
      return attempt.isLast
        ? { type: 'done', effect: undefined }
        : { type: 'retry', after: 150, error: new Error('not yet') };
    },
  });
  await eventually(() => priorities.length === 2, { describe: () => order.join(', ') });
  assert.ok(order.indexOf('urgent') <= 2, order.slice(0, 5).join(', '));
  assert.deepEqual(priorities, [5, 5]);
});

test('a drain waits for running attempts, and requeues those that do not end in time', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  await environment.publishAll(publisher, 3);
  const ends = new Map<string, () => void>();
  const worker = await environment.worker({
    prefetchCount: 3,
    run: ({ delivery }) =>
      new Promise((resolve) => {
        ends.set(delivery.messageId!, () => {
          resolve({ type: 'done', effect: undefined });
        });
      }),
  });
  await eventually(() => ends.size === 3, { describe: () => [...ends.keys()].join(', ') });
  const drained = worker.drain(500);
  ends.get('m0')?.();
  await drained;
  await environment.expectReady('one', 2);
});

for (const how of ['stop', 'lost connection'] as const)
  test(`${how}: no dead letter is published for a message that was given back`, async (t) => {
    const environment = await TestTopology.open(t);
    const publisher = await environment.publisher();
    const proxy = await openProxy(t, environment.amqpUrl);
    const running: { delivery: Delivery; end: () => void }[] = [];
    const published: unknown[] = [];
    const unconfirmed: unknown[] = [];
    const worker = await environment.worker({
      amqpUrl: proxy.url,
      onPublish: (end) => published.push(end),
      onUnconfirmed: ({ outcome, step }) => unconfirmed.push([outcome.type, step]),
      run: ({ delivery }) =>
        new Promise((resolve) => {
          running.push({
            delivery,
            end: () => {
              resolve({ type: 'reject', error: new Error('hopeless') });
            },
          });
        }),
    });
    await environment.publishAll(publisher, 1);
    await eventually(() => running.length === 1, { describe: () => 'nothing runs' });
    if (how === 'stop') assert.equal((await worker.drain(0)).requeuedCount, 1);
    else {
      proxy.cut();
      // The broker delivers it again, once both connections are up.
      await eventually(() => running.length === 2 && worker.isUp, {
        describe: () => `${running.length} runs`,
      });
    }
    running[0]?.end();
    await eventually(() => unconfirmed.length === 1, {
      describe: () => JSON.stringify(published),
    });
    assert.deepEqual(unconfirmed, [['retry', { type: 'wait', delayMs: 0 }]]);
    assert.equal(worker.pendingPublishCount, 0);
    assert.deepEqual(published, []);
  });

test('pause and stop give back what has not begun, and a resume takes it again', async (t) => {
  const environment = await TestTopology.open(t);
  await environment.publishAll(await environment.publisher(), 6);
  const gate = new HandlerGate();
  const worker = await environment.worker({ prefetchCount: 6, concurrency: 2, run: gate.run });
  await gate.untilRunning(2);
  await eventually(() => worker.inFlightCount === 6, {
    describe: () => `${worker.inFlightCount} in flight`,
  });
  await worker.pause();
  await environment.expectReady('one', 4);
  assert.equal(gate.current.length, 2);
  gate.letThrough();
  await gate.untilDone(2);
  assert.equal(gate.current.length, 0);
  worker.resume();
  await gate.untilRunning(2);
  const drained = worker.drain(60_000);
  // Two still run, so nothing but the stop itself gave these back.
  await environment.expectReady('one', 2);
  assert.equal(gate.current.length, 2);
  gate.openForGood();
  await drained;
  assert.equal(gate.done.size, 4);
});
