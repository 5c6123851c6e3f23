/**
 * Goal: every change made by hand is found on a real broker; apply reverts what it may and reports the rest.
 * Method: one change at a time, over AMQP or the management API; compared, applied, compared again.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { askManagement, eventually } from '@fit/stack/testing';
import { type Channel, connect } from 'amqplib';
import { ApplyEnvironment, Load, tiersOf } from './applyEnvironment.ts';
import { liveOf, normalised } from './brokerModel.ts';

const TIERS = tiersOf([100, 200]);

async function openApplied(
  t: TestContext,
): Promise<{ live: ApplyEnvironment; channel: Channel; put: Put; drop: Drop }> {
  const live = await ApplyEnvironment.open(t);
  await live.apply(TIERS);
  const model = await connect(live.testTopology.amqpUrl);
  live.testTopology.closeLater(() => model.close());
  const path = (rest: string) => `/api/${rest.replace('/', `/${live.testTopology.vhost}/`)}`;
  return {
    live,
    channel: await model.createChannel(),
    put: (rest, body) => askManagement({ method: 'PUT', path: path(rest), body }),
    drop: (rest) => askManagement({ method: 'DELETE', path: path(rest) }),
  };
}
type Put = (path: string, body: object) => Promise<unknown>;
type Drop = (path: string) => Promise<unknown>;

test('after apply the virtual host equals the plan; a second run has no step', async (t) => {
  const { live } = await openApplied(t);
  assert.deepEqual(await live.diff(TIERS), []);
  const { steps, remaining } = await live.apply(TIERS);
  assert.deepEqual([steps, remaining], [[], []]);
});

test('the model of the pure tests equals a real virtual host', async (t) => {
  const live = await ApplyEnvironment.open(t);
  await live.testTopology.publisher();
  assert.deepEqual(normalised(await live.live()), normalised(liveOf(live.testTopology.plan)));
});

test('differences that apply removes are found, removed, and gone', async (t) => {
  const { live, channel, put, drop } = await openApplied(t);
  const drifts: [expected: string[], make: () => Promise<unknown>][] = [
    [
      ['BINDING_MISSING one.return [one.r1] -> one'],
      () => channel.unbindQueue('one', 'one.return', 'one.r1'),
    ],
    [
      ['BINDING_MISSING jobs [job.one] -> one'],
      () => channel.unbindQueue('one', 'jobs', 'job.one'),
    ],
    [
      ['BINDING_EXTRA one.retry [job.one] -> one.dead'],
      () => channel.bindQueue('one.dead', 'one.retry', 'job.one'),
    ],
    [
      ['BINDING_EXTRA one.return [#] -> exchange one.park'],
      () => channel.bindExchange('one.park', 'one.return', '#'),
    ],
    [
      ['EXCHANGE_MISSING one.return', 'BINDING_MISSING one.return [one.r1] -> one'],
      async () => {
        await channel.deleteExchange('one.return');
        await channel.bindQueue('one.dead', 'one.park', '');
      },
    ],
    [
      ['QUEUE_MISSING one.wait.1.100ms', 'BINDING_MISSING one.retry [job.one] -> one.wait.1.100ms'],
      () => channel.deleteQueue('one.wait.1.100ms'),
    ],
    [
      ['POLICY_DIFFERS one'],
      () => put('policies/one', { pattern: '^one$', definition: { 'max-length': 7 } }),
    ],
    [['POLICY_MISSING one'], () => drop('policies/one')],
    [
      ['TIER_CHANGE_LEFT one.retry.switch'],
      () => channel.assertExchange('one.retry.switch', 'direct', { durable: true }),
    ],
  ];
  for (const [expected, make] of drifts) {
    await make();
    const drift = await live.drift(TIERS);
    assert.deepEqual(
      expected.filter((line) => !drift.includes(line)),
      [],
      drift.join('\n'),
    );
    const { steps, remaining } = await live.apply(TIERS);
    assert.ok(steps.length > 0);
    assert.deepEqual([remaining, await live.drift(TIERS)], [[], []]);
  }
});

test('differences that only an operator removes are found, reported and left', async (t) => {
  const { live, channel, put } = await openApplied(t);
  await channel.assertQueue('theirs', { durable: true });
  await channel.bindQueue('theirs', 'jobs', '#');
  await channel.deleteQueue('one.wait.1.100ms');
  const settings = { 'x-queue-type': 'quorum', 'x-message-ttl': 150 };
  await channel.assertQueue('one.wait.1.100ms', { durable: true, arguments: settings });
  for (const key of ['job.one', 'one.r0'])
    await channel.bindQueue('one.wait.1.100ms', 'one.retry', key);
  await channel.deleteExchange('one.return');
  await channel.assertExchange('one.return', 'direct', { durable: true });
  for (const key of ['one.r0', 'one.r1', 'one.r2'])
    await channel.bindQueue('one', 'one.return', key);
  await put('policies/theirs', { pattern: 'one', definition: { 'max-length': 5 }, priority: 3 });
  await put('operator-policies/limit', { pattern: 'dead', definition: { 'max-length': 9 } });
  await channel.consume('one.wait.2.200ms', () => undefined);
  await eventually(
    async () => (await live.drift(TIERS)).includes('CONSUMER_ON_WAIT one.wait.2.200ms'),
    { describe: async () => (await live.drift(TIERS)).join('\n') },
  );

  const before = normalised(await live.live());
  const { steps, remaining } = await live.apply(TIERS);
  assert.deepEqual(steps, []);
  assert.deepEqual(normalised(await live.live()), before);
  assert.ok(remaining.every(({ fixedBy }) => fixedBy === 'operator'));
  assert.deepEqual(
    remaining.map(({ code, subject }) => `${code} ${subject}`),
    [
      'POLICY_FOREIGN theirs on one.dead',
      'POLICY_OPERATOR limit on one.dead',
      'POLICY_FOREIGN theirs on one.wait.1.100ms',
      'POLICY_FOREIGN theirs on one.wait.2.200ms',
      'POLICY_FOREIGN theirs on one',
      'EXCHANGE_DIFFERS one.return',
      'QUEUE_ARGUMENTS_DIFFER one.wait.1.100ms',
      'CONSUMER_ON_WAIT one.wait.2.200ms',
      'BINDING_EXTRA jobs [#] -> theirs',
    ],
  );
  const different = remaining.find(({ code }) => code === 'QUEUE_ARGUMENTS_DIFFER');
  assert.deepEqual((different?.live as Record<string, unknown>)['x-message-ttl'], 150);
  assert.match(
    remaining.find(({ subject }) => subject === 'theirs on one')?.remedy ?? '',
    /place of policy 'one'.*sets max-length 5;.*rabbitmqctl clear_policy -p VHOST theirs/,
  );
});

test('a queue that holds messages is never deleted', async (t) => {
  const { live } = await openApplied(t);
  const publisher = await live.testTopology.publisher({ prepare: () => Promise.resolve() });
  await live.testTopology.publishAll(publisher, 5);
  await live.apply(tiersOf([300]));
  await live.apply(tiersOf([100, 200]));
  await live.testTopology.expectReady('one', 5);
});

test('from an empty virtual host, killed before each step and run again: the same end, and jobs are handled', async (t) => {
  const whole = await ApplyEnvironment.open(t);
  const { steps } = await whole.apply(TIERS);
  const expected = normalised(await whole.live());
  for (let first = 0; first < steps.length; first += 3)
    await Promise.all(
      steps.slice(first, first + 3).map(async (_, offset) => {
        const live = await ApplyEnvironment.open(t);
        await assert.rejects(
          live.apply(TIERS, async (__, index) => {
            if (index !== first + offset) return;
            await live.cut();
            throw new Error('killed');
          }),
          /killed/,
        );
        await live.apply(TIERS);
        assert.deepEqual(normalised(await live.live()), expected);
        const load = new Load(live);
        await load.open();
        await load.publish(3);
        assert.deepEqual(await load.misses(), {});
        await live.testTopology.close();
      }),
    );
});

test('the broker names the applied policy on the queue', async (t) => {
  const { live } = await openApplied(t);
  await eventually(
    async () => {
      const { queues } = await live.live();
      const main = queues.find(({ name }) => name === 'one');
      return main?.policy === 'one' && main.effectivePolicy['max-length'] === 10_000;
    },
    { describe: async () => JSON.stringify((await live.live()).queues) },
  );
});
