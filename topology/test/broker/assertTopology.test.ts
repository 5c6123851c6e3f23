/** Goal: the broker holds the plan, and differing objects are refused. Method: asserted, then read back over HTTP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology, TopologyError, type TopologyPlan } from '@fit/topology';
import { assertTopology } from '@fit/topology/amqp';
import type { ChannelModel } from 'amqplib';
import { Bench, QUICK } from '../support/bench.ts';
import { ASSIGNMENT, DEFAULT } from '../support/declarations.ts';

interface LiveObject {
  readonly name: string;
  readonly arguments: Record<string, unknown>;
}
interface LiveBinding {
  readonly source: string;
  readonly destination: string;
  readonly routing_key: string;
  readonly arguments: Record<string, unknown>;
}
interface LivePolicy {
  readonly name: string;
  readonly pattern: string;
  readonly definition: object;
}

const byText = (a: unknown, b: unknown) => JSON.stringify(a).localeCompare(JSON.stringify(b));

async function expectLive(bench: Bench, plan: TopologyPlan): Promise<void> {
  const { vhost } = bench;
  const exchanges = (await bench.ask('GET', `/api/exchanges/${vhost}`)) as LiveObject[];
  assert.deepEqual(
    exchanges
      .filter(({ name }) => name !== '' && !name.startsWith('amq.'))
      .map((exchange) => [exchange.name, exchange.arguments])
      .sort(byText),
    plan.exchanges
      .map(({ name, alternate }) => [name, alternate ? { 'alternate-exchange': alternate } : {}])
      .sort(byText),
  );
  const queues = (await bench.ask('GET', `/api/queues/${vhost}`)) as LiveObject[];
  assert.deepEqual(
    Object.fromEntries(queues.map((queue) => [queue.name, queue.arguments])),
    Object.fromEntries(plan.queues.map((queue) => [queue.name, queue.arguments])),
  );
  const bindings = (await bench.ask('GET', `/api/bindings/${vhost}`)) as LiveBinding[];
  assert.deepEqual(
    bindings
      .filter(({ source }) => source !== '')
      .map((one) => [one.source, one.destination, one.routing_key, one.arguments])
      .sort(byText),
    plan.bindings.map((one) => [one.exchange, one.queue, one.key, one.arguments]).sort(byText),
  );
  const policies = (await bench.ask('GET', `/api/policies/${vhost}`)) as LivePolicy[];
  assert.deepEqual(
    policies.map(({ name, pattern, definition }) => ({ name, pattern, definition })).sort(byText),
    [...plan.policies].sort(byText),
  );
}

for (const [profile, declaration] of [
  ['default', DEFAULT],
  ['assignment', ASSIGNMENT],
] as const)
  test(`${profile}: asserted twice, the broker holds the plan exactly`, async (t) => {
    const bench = await Bench.open(t, declaration);
    await bench.publisher();
    const plan = await assertTopology(bench.model, declaration, bench);
    await expectLive(bench, plan);
    assert.deepEqual(await assertTopology(bench.model, declaration, bench), plan);
    await expectLive(bench, plan);
  });

test('the policies take effect on their queues', async (t) => {
  const bench = await Bench.open(t);
  await bench.publisher();
  for (const queue of ['one', 'one.dead', 'one.wait.1.100ms'])
    await eventually(
      async () => {
        const live = (await bench.ask('GET', `/api/queues/${bench.vhost}/${queue}`)) as {
          policy?: string | null;
        };
        return (live.policy ?? undefined) === (queue === 'one.wait.1.100ms' ? undefined : queue);
      },
      { describe: () => `${queue} has another policy than planned` },
    );
});

test('without management the limits are arguments, and no policy is made', async (t) => {
  const bench = await Bench.open(t);
  const prepare = async (model: ChannelModel) => {
    const options = { amqpUrl: bench.amqpUrl, managementUrl: undefined };
    const plan = await assertTopology(model, QUICK, options);
    await expectLive(bench, plan);
  };
  await bench.publisher({ prepare });
  assert.deepEqual(await bench.ask('GET', `/api/policies/${bench.vhost}`), []);
});

const changed = (tiers: readonly number[], messageTtl?: number) =>
  declareTopology({
    exchange: 'jobs',
    kinds: {
      one: { key: 'job.one', queue: 'one', tiers, ...(messageTtl ? { messageTtl } : {}) },
    },
  });

test('other arguments are refused by the name of the queue, and nothing retries', async (t) => {
  const bench = await Bench.open(t);
  await bench.publisher();
  for (const [declaration, culprit] of [
    [changed([100, 200, 300], 60_000), 'one'],
    [changed([100, 200, 300], 70_000), 'one'],
  ] as const) {
    const prepare = async (model: ChannelModel) => {
      await assertTopology(model, declaration, bench);
    };
    await assert.rejects(bench.publisher({ prepare }), (error) => {
      assert.ok(error instanceof TopologyError);
      assert.equal(error.code, 'TOPOLOGY_DIFFERS');
      assert.deepEqual(
        error.faults.map((fault) => fault.culprit),
        [culprit],
      );
      return true;
    });
  }
});

test('limits change without a migration, since they are policies', async (t) => {
  const bench = await Bench.open(t);
  await bench.publisher();
  const one = { key: 'job.one', queue: 'one', tiers: [100, 200, 300], maxLength: 7 };
  const wider = declareTopology({ exchange: 'jobs', kinds: { one } });
  const plan = await assertTopology(bench.model, wider, bench);
  await expectLive(bench, plan);
  assert.equal(plan.policies[0]?.definition['max-length'], 7);
});

test('a management API that refuses us is an error of its own', async (t) => {
  const bench = await Bench.open(t);
  const managementUrl = new URL(bench.managementUrl);
  managementUrl.password = 'wrong';
  const options = { amqpUrl: bench.amqpUrl, managementUrl: managementUrl.href };
  const prepare = async (model: ChannelModel) => {
    await assertTopology(model, QUICK, options);
  };
  await assert.rejects(bench.publisher({ prepare }), { code: 'POLICY_FAILED' });
});
