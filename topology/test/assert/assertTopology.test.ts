/** Goal: the broker is equal to the plan, and differing objects are refused. Method: asserted, then read by the management API. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askManagement, eventually } from '@fit/stack/testing';
import { declareTopology, type Fault, TopologyError, type TopologyPlan } from '@fit/topology';
import type { BrokerConnection } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import { ASSIGNMENT, DEFAULT } from '../support/declarations.ts';
import { QUICK, TestTopology } from '../support/testTopology.ts';

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

async function expectLive(environment: TestTopology, plan: TopologyPlan): Promise<void> {
  const { vhost } = environment;
  const exchanges = (await environment.ask('GET', `/api/exchanges/${vhost}`)) as LiveObject[];
  assert.deepEqual(
    exchanges
      .filter(({ name }) => name !== '' && !name.startsWith('amq.'))
      .map((exchange) => [exchange.name, exchange.arguments])
      .sort(byText),
    [...plan.exchanges, ...plan.notes.map(({ name }) => ({ name, alternate: undefined }))]
      .map(({ name, alternate }) => [name, alternate ? { 'alternate-exchange': alternate } : {}])
      .sort(byText),
  );
  const queues = (await environment.ask('GET', `/api/queues/${vhost}`)) as LiveObject[];
  assert.deepEqual(
    Object.fromEntries(queues.map((queue) => [queue.name, queue.arguments])),
    Object.fromEntries(
      [...plan.queues, ...plan.notes].map((queue) => [queue.name, queue.arguments]),
    ),
  );
  const bindings = (await environment.ask('GET', `/api/bindings/${vhost}`)) as LiveBinding[];
  assert.deepEqual(
    bindings
      .filter(({ source }) => source !== '')
      .map((one) => [one.source, one.destination, one.routing_key, one.arguments])
      .sort(byText),
    [
      ...plan.bindings.map((one) => [one.exchange, one.queue, one.key, one.arguments]),
      ...plan.notes.map(({ name }) => [name, name, '', {}]),
    ].sort(byText),
  );
  const policies = (await environment.ask('GET', `/api/policies/${vhost}`)) as LivePolicy[];
  assert.deepEqual(
    policies.map(({ name, pattern, definition }) => ({ name, pattern, definition })).sort(byText),
    [...plan.policies].sort(byText),
  );
}

for (const [profile, declaration] of [
  ['default', DEFAULT],
  ['assignment', ASSIGNMENT],
] as const)
  test(`${profile}: asserted twice, the broker is equal to the plan`, async (t) => {
    const environment = await TestTopology.open(t, declaration);
    await environment.publisher();
    const plan = await assertTopology(environment.model, declaration, environment);
    await expectLive(environment, plan);
    assert.deepEqual(await assertTopology(environment.model, declaration, environment), plan);
    await expectLive(environment, plan);
  });

test('the policies take effect on their queues', async (t) => {
  const environment = await TestTopology.open(t);
  await environment.publisher();
  for (const queue of ['one', 'one.dead', 'one.wait.1.100ms'])
    await eventually(
      async () => {
        const live = (await environment.ask(
          'GET',
          `/api/queues/${environment.vhost}/${queue}`,
        )) as {
          policy?: string | null;
        };
        const planned = environment.plan.policies.find(({ name }) => name === queue);
        return (live.policy ?? undefined) === planned?.name;
      },
      { describe: () => `${queue} has another policy than planned` },
    );
});

test('without management the limits are arguments, and no policy is made', async (t) => {
  const environment = await TestTopology.open(t);
  const prepare = async (connection: BrokerConnection) => {
    const urls = { amqpUrl: environment.amqpUrl, managementUrl: undefined };
    const plan = await assertTopology(connection, QUICK, { ...urls, onWarning: () => undefined });
    await expectLive(environment, plan);
  };
  await environment.publisher({ prepare });
  assert.deepEqual(await environment.ask('GET', `/api/policies/${environment.vhost}`), []);
});

const changed = (tiers: readonly number[], messageTtl?: number) =>
  declareTopology({
    exchange: 'jobs',
    kinds: {
      one: { key: 'job.one', queue: 'one', tiers, ...(messageTtl ? { messageTtl } : {}) },
    },
  });

test('other arguments are refused by the name of the queue, and nothing retries', async (t) => {
  const environment = await TestTopology.open(t);
  await environment.publisher();
  for (const [declaration, subject] of [
    [changed([100, 200, 300], 60_000), 'one'],
    [changed([100, 200, 300], 70_000), 'one'],
  ] as const) {
    const prepare = async (connection: BrokerConnection) => {
      await assertTopology(connection, declaration, environment);
    };
    await assert.rejects(environment.publisher({ prepare }), (error) => {
      assert.ok(error instanceof TopologyError);
      assert.equal(error.code, 'TOPOLOGY_DIFFERS');
      assert.deepEqual(
        error.faults.map((fault) => fault.subject),
        [subject],
      );
      return true;
    });
  }
});

test('limits change without a migration, since they are policies', async (t) => {
  const environment = await TestTopology.open(t);
  await environment.publisher();
  const one = { key: 'job.one', queue: 'one', tiers: [100, 200, 300], maxLength: 7 };
  const wider = declareTopology({ exchange: 'jobs', kinds: { one } });
  const plan = await assertTopology(environment.model, wider, environment);
  await expectLive(environment, plan);
  assert.equal(plan.policies[0]?.definition['max-length'], 7);
});

test('a management API that refuses us is an error of its own', async (t) => {
  const environment = await TestTopology.open(t);
  const managementUrl = new URL(environment.managementUrl);
  managementUrl.password = 'wrong';
  const options = { amqpUrl: environment.amqpUrl, managementUrl: managementUrl.href };
  const prepare = async (connection: BrokerConnection) => {
    await assertTopology(connection, QUICK, options);
  };
  await assert.rejects(environment.publisher({ prepare }), (error) => {
    assert.ok(error instanceof TopologyError);
    assert.deepEqual([error.code, error.faults[0]?.code], ['BROKER_REFUSED', 'MANAGEMENT_REFUSED']);
    return true;
  });
});

/** The warning of a start under a foreign policy. */
async function startUnder(
  environment: TestTopology,
  kind: 'policies' | 'operator-policies',
  body: object,
): Promise<string[]> {
  const path = `/api/${kind}/${environment.vhost}/theirs`;
  await askManagement({ method: 'PUT', path, body });
  const warnings: string[] = [];
  const prepare = async (connection: BrokerConnection) => {
    const onWarning = ({ code, subject }: Fault) => warnings.push(`${code} ${subject}`);
    await assertTopology(connection, environment.declaration, {
      ...withUrls(environment),
      onWarning,
    });
  };
  await environment.publisher({ prepare });
  return warnings;
}

const withUrls = ({ amqpUrl, managementUrl }: TestTopology) => ({ amqpUrl, managementUrl });

test("somebody's drop-head is refused before anything is declared, unless it was declared unsafe", async (t) => {
  const body = { pattern: '^(one|createWodQueue)$', definition: { overflow: 'drop-head' } };
  // Brokers before 4.0 refuse this operator policy themselves.
  const { rabbitmq_version: version } = (await askManagement({
    method: 'GET',
    path: '/api/overview',
  })) as { rabbitmq_version: string };
  const kinds = ['policies', 'operator-policies'] as const;
  for (const kind of version.startsWith('3.') ? kinds.slice(0, 1) : kinds) {
    const environment = await TestTopology.open(t);
    await assert.rejects(startUnder(environment, kind, body), (error) => {
      assert.ok(error instanceof TopologyError);
      assert.equal(error.code, 'BROKER_REFUSED');
      assert.deepEqual(
        error.faults.map(({ code, subject }) => `${code} ${subject}`),
        ['OVERFLOW_UNSAFE theirs on one'],
      );
      return true;
    });
    assert.deepEqual(await environment.ask('GET', `/api/queues/${environment.vhost}`), []);
    const declared = await TestTopology.open(t, ASSIGNMENT);
    await startUnder(declared, kind, body);
  }
});

test('policies of others on time to live, limit or overflow are warned of, at the first start, too', async (t) => {
  const environment = await TestTopology.open(t);
  const pattern = '^one\\.wait';
  const definition = { 'max-length': 3 };
  assert.deepEqual(
    await startUnder(environment, 'policies', { pattern, definition }),
    ['100ms', '200ms', '300ms'].map(
      (wait, index) => `POLICY_FOREIGN theirs on one.wait.${index + 1}.${wait}`,
    ),
  );
  const operator = await TestTopology.open(t);
  assert.deepEqual(
    await startUnder(operator, 'operator-policies', { pattern: '^one$', definition }),
    ['POLICY_OPERATOR theirs on one'],
  );
});

test('without the management API the skipped checks are one warning, once where there is no listener', async (t) => {
  const environment = await TestTopology.open(t);
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => {
    if (warning.name === 'TopologyWarning') warnings.push(warning);
  };
  process.on('warning', onWarning);
  t.after(() => process.off('warning', onWarning));
  const remedies: string[] = [];
  const prepare = async (connection: BrokerConnection) => {
    const options = { amqpUrl: environment.amqpUrl, managementUrl: undefined };
    const listening = { ...options, onWarning: ({ remedy }: Fault) => remedies.push(remedy) };
    await assertTopology(connection, QUICK, listening);
    for (let count = 0; count < 2; count += 1) await assertTopology(connection, QUICK, options);
  };
  await environment.publisher({ prepare });
  assert.match(
    remedies[0] ?? '',
    /feature flag stream_queue.*; policies.*; bindings of other retry tiers/,
  );
  await eventually(() => warnings.length === 1, { describe: () => `${warnings.length} warnings` });
});

test('other tiers than those in service are refused: both at once would double what is rejected', async (t) => {
  const environment = await TestTopology.open(t);
  await environment.publisher();
  const before = await environment.ask('GET', `/api/bindings/${environment.vhost}`);
  const prepare = async (connection: BrokerConnection) => {
    await assertTopology(connection, changed([100, 400]), environment);
  };
  await assert.rejects(environment.publisher({ prepare }), (error) => {
    assert.ok(error instanceof TopologyError);
    assert.equal(error.code, 'TOPOLOGY_DIFFERS');
    assert.deepEqual(
      error.faults.map(({ code, subject }) => `${code} ${subject}`),
      [
        'OTHER_TIERS_IN_SERVICE one.retry [one.r1] -> one.wait.2.200ms',
        'OTHER_TIERS_IN_SERVICE one.retry [one.r2] -> one.wait.3.300ms',
      ],
    );
    assert.match(error.message, /: topology apply/);
    return true;
  });
  assert.deepEqual(await environment.ask('GET', `/api/bindings/${environment.vhost}`), before);
});

for (const isFirstWith of [true, false]) {
  const [first, second] = isFirstWith ? ['with', 'without'] : ['without', 'with'];
  test(`a process ${second} managementUrl beside one ${first} is refused with a remedy`, async (t) => {
    const environment = await TestTopology.open(t);
    const prepare = (hasManagement: boolean) => async (connection: BrokerConnection) => {
      const managementUrl = hasManagement ? environment.managementUrl : undefined;
      const { amqpUrl } = environment;
      await assertTopology(connection, QUICK, {
        amqpUrl,
        managementUrl,
        onWarning: () => undefined,
      });
    };
    await environment.publisher({ prepare: prepare(isFirstWith) });
    await assert.rejects(environment.publisher({ prepare: prepare(!isFirstWith) }), (error) => {
      assert.ok(error instanceof TopologyError);
      assert.equal(error.code, 'TOPOLOGY_DIFFERS');
      const [fault] = error.faults;
      assert.match(
        fault?.remedy ?? '',
        new RegExp(
          `this process was opened ${second} managementUrl, and the queue was made by one ${first} it.*give managementUrl to all of them or to none`,
        ),
      );
      return true;
    });
  });
}
