/** Goal: kill -9 of the broker during a wait loses nothing it has confirmed. Method: a broker of this file's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BrokerSuite, freePorts, startStack } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { Bench } from '../support/bench.ts';

const WAIT_MS = 4_000;
const MESSAGE_COUNT = 500;

test('kill -9 at half of a tier, under publishes: all that was confirmed comes back, none early', async (t) => {
  const brokerSuite = (process.env['FIT_TEST_BROKER_SUITE'] ?? 'sid') as BrokerSuite;
  const stack = await startStack({
    ...{
      name: `kill-${process.pid}`,
      ports: await freePorts(),
      services: ['rabbitmq'],
      brokerSuite,
    },
  });
  const given = { ...process.env };
  // The bench goes before its broker.
  const undoes: (() => Promise<void>)[] = [];
  const teardown = { after: (undo: () => Promise<void>) => void undoes.push(undo) };
  t.after(async () => {
    for (const undo of undoes) await undo();
    Object.assign(process.env, given);
    await stack.stop({ purge: true });
  });
  process.env['FIT_TEST_AMQP_URL'] = stack.amqpUrl;
  const management = new URL(stack.managementUrl!);
  Object.assign(management, { username: 'guest', password: 'guest' });
  process.env['FIT_TEST_MANAGEMENT_URL'] = management.href;
  const bench = await Bench.open(
    teardown,
    declareTopology({
      exchange: 'jobs',
      kinds: { one: { key: 'job.one', queue: 'one', tiers: [WAIT_MS, 2 * WAIT_MS] } },
    }),
  );
  const publisher = await bench.publisher();
  const confirmed = new Set<string>();
  const rejectedAt = new Map<string, number>();
  const done = new Map<string, number>();
  const early: string[] = [];
  await bench.consumer((delivery) => {
    const id = delivery.messageId!;
    if (delivery.routingKey === 'job.one') {
      // The first time: a rejection that the kill took back comes a second time, and leaves a copy.
      if (!rejectedAt.has(id)) rejectedAt.set(id, Date.now());
      delivery.reject();
      return;
    }
    if (Date.now() - (rejectedAt.get(id) ?? 0) < WAIT_MS - 10) early.push(id);
    done.set(id, (done.get(id) ?? 0) + 1);
    delivery.ack();
  });

  // One after the other, each until it is confirmed: what is unknown after the kill is sent again under its id.
  const publishing = (async () => {
    for (let index = 0; index < MESSAGE_COUNT; index += 1) {
      const id = `m${index}`;
      await eventually(async () => (await publisher.publish(bench.message(id))) === 'confirmed', {
        deadlineMs: 90_000,
        describe: () => `${id} is not confirmed`,
      });
      confirmed.add(id);
    }
  })();
  await eventually(() => rejectedAt.size > 100, { describe: () => `${rejectedAt.size} waiting` });
  const firstAt = [...rejectedAt.values()][0]!;
  await eventually(() => Date.now() - firstAt > WAIT_MS / 2, { describe: () => 'not half yet' });
  assert.equal(done.size, 0);
  await stack.kill('rabbitmq');
  await stack.restart('rabbitmq');
  await publishing;
  assert.equal(confirmed.size, MESSAGE_COUNT);
  await eventually(() => done.size === MESSAGE_COUNT, {
    deadlineMs: 60_000,
    describe: () => `${done.size} of ${MESSAGE_COUNT} came back`,
  });
  assert.deepEqual(early, []);
  const copyCount = [...done.values()].reduce((sum, count) => sum + count - 1, 0);
  t.diagnostic(`${copyCount} came twice, which at-least-once allows`);
  await bench.expectEmpty();
});
