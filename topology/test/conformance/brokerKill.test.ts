/** Goal: kill -9 of the broker loses no message that it confirmed. Method: a broker of this file's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { HandlerGate } from '../support/handlerGate.ts';
import { TestTopology } from '../support/testTopology.ts';
import { Arrivals } from './arrivals.ts';
import { awaitingTransferCount, fillToRefusal } from './fullMainQueue.ts';
import { useOwnBroker } from './ownBroker.ts';

const WAIT_MS = 4_000;
const MESSAGE_COUNT = 500;
/** Its own lateness is this file's other test; here two clocks meet. */
const EARLY_MS = 10;

const broker = useOwnBroker();

test('kill -9 at half of a tier, under publishes: all that was confirmed comes back, none early', async (t) => {
  const environment = await TestTopology.open(
    t,
    declareTopology({
      exchange: 'jobs',
      kinds: { one: { key: 'job.one', queue: 'one', tiers: [WAIT_MS, 2 * WAIT_MS] } },
    }),
  );
  const publisher = await environment.publisher();
  const confirmed = new Set<string>();
  const rejectedAt = new Map<string, number>();
  const done = new Arrivals();
  const early: string[] = [];
  await environment.consumer((delivery) => {
    const id = delivery.messageId!;
    if (delivery.routingKey === 'job.one') {
      // The first time: a rejection that the kill took back comes a second time, and leaves a copy.
      if (!rejectedAt.has(id)) rejectedAt.set(id, Date.now());
      delivery.nackToDeadLetterExchange();
      return;
    }
    if (Date.now() - (rejectedAt.get(id) ?? 0) < WAIT_MS - EARLY_MS) early.push(id);
    done.take(delivery);
  });

  // One after the other, each until it is confirmed: what is unknown after the kill is sent again under its id.
  const publishing = (async () => {
    for (let index = 0; index < MESSAGE_COUNT; index += 1) {
      const id = `m${index}`;
      await eventually(
        async () => (await publisher.publish(environment.message(id))) === 'confirmed',
        {
          deadlineMs: 90_000,
          describe: () => `${id} is not confirmed`,
        },
      );
      confirmed.add(id);
    }
  })();
  await eventually(() => rejectedAt.size > 100, { describe: () => `${rejectedAt.size} waiting` });
  const firstAt = [...rejectedAt.values()][0]!;
  await eventually(() => Date.now() - firstAt > WAIT_MS / 2, { describe: () => 'not half yet' });
  assert.equal(done.ids.size, 0);
  await broker.stack.kill('rabbitmq');
  await broker.stack.restart('rabbitmq');
  await publishing;
  assert.equal(confirmed.size, MESSAGE_COUNT);
  await done.expect(confirmed);
  assert.deepEqual(early, []);
  t.diagnostic(`${done.copyCount} came twice, which at-least-once allows`);
  await environment.expectEmpty();
});

test('kill -9 while a full main queue keeps expired ones out: all of them are in it once there is room', async (t) => {
  const environment = await TestTopology.open(
    t,
    declareTopology({
      exchange: 'jobs',
      kinds: { one: { key: 'job.one', queue: 'one', tiers: [1_500, 60_000], maxLength: 10 } },
    }),
  );
  const publisher = await environment.publisher();
  const bouncing = Array.from({ length: 8 }, (_, index) => `bounce${index}`);
  for (const id of bouncing) await publisher.publish(environment.message(id));
  const rejecter = await environment.consumer((delivery) => {
    delivery.nackToDeadLetterExchange();
  });
  await environment.expectReady('one.wait.1.1500ms', bouncing.length);
  await rejecter.close();
  const confirmed = await fillToRefusal(environment, publisher);
  await eventually(
    async () => (await awaitingTransferCount(environment, 'one.wait.1.1500ms')) > 0,
    {
      deadlineMs: 30_000,
      describe: () => 'none awaits transfer',
    },
  );
  await broker.stack.kill('rabbitmq');
  await broker.stack.restart('rabbitmq');
  const done = new Arrivals();
  await environment.consumer((delivery) => {
    done.take(delivery);
  });
  await done.expect(new Set([...bouncing, ...confirmed]));
  t.diagnostic(`${done.copyCount} came twice, which at-least-once allows`);
  await environment.expectEmpty();
});

test('restarted under a worker: as many run at a time as before, all is done, nothing is dead', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  await environment.publishAll(publisher, 300);
  const gate = new HandlerGate();
  await environment.worker({ prefetchCount: 50, run: gate.run });
  await gate.untilRunning(50);
  const [held] = gate.current;
  // Not killed: in the first half second of a queue's life that loses the queue, with what it confirmed (4.3.6).
  await broker.stack.rabbitmqctl(['stop_app']);
  await broker.stack.rabbitmqctl(['start_app']);
  await eventually(() => held?.isCurrent === false, { describe: () => 'still connected' });
  gate.letThrough();
  await gate.untilRunning(50, 60_000);
  gate.openForGood();
  await gate.untilDone(300);
  await environment.expectEmpty();
});
