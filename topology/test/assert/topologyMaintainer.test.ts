/**
 * Goal: objects that somebody deletes are restored soon, or the process reports why not. Method: a worker that checks often,
 * objects deleted by AMQP and by the management API.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { askManagement, eventually } from '@fit/stack/testing';
import { declareTopology, type Fault } from '@fit/topology';
import { openTopologyAdmin } from '@fit/topology/amqp';
import { TopologyMaintainer } from '@fit/topology/assert';
import { ManagementApi } from '@fit/topology/management';
import { QueueWorker } from '@fit/topology/work';
import { applyTopology, drainTopology, planFor } from '@fit/topology-cli/apply';
import { connect } from 'amqplib';
import { openManagementProxy } from '../support/openManagementProxy.ts';
import { TestTopology } from '../support/testTopology.ts';

const CHECK_INTERVAL_MS = 100;

interface WatchedOptions {
  readonly checkIntervalMs?: number;
  /** @returns the URLs of the worker; default: those of the environment. */
  readonly urlsOf?: (
    environment: TestTopology,
  ) => Promise<{ readonly amqpUrl: string; readonly managementUrl: string }>;
}

async function openWatched(
  t: TestContext,
  hasManagement: boolean,
  { checkIntervalMs = CHECK_INTERVAL_MS, urlsOf }: WatchedOptions = {},
) {
  const environment = await TestTopology.open(t);
  const { declaration } = environment;
  const urls = (await urlsOf?.(environment)) ?? environment;
  const { amqpUrl } = urls;
  const managementUrl = hasManagement ? urls.managementUrl : undefined;
  const warnings: Fault[] = [];
  const done: (string | undefined)[] = [];
  const worker = await QueueWorker.open({
    declaration,
    kind: 'one',
    amqpUrl,
    managementUrl,
    checkIntervalMs,
    // Every first attempt fails here; nothing is to be paused for it.
    circuitBreaker: false,
    onWarning: (warning) => warnings.push(warning),
    run: ({ delivery, attempt }) => {
      if (attempt.number === 1) throw new Error('again');
      done.push(delivery.messageId);
      return undefined;
    },
  });
  environment.closeLater(() => worker.close());
  // The publisher does not assert the topology, so that only the worker can restore an object.
  const publisher = await environment.publisher({ prepare: () => Promise.resolve() });
  const channel = await environment.adminChannel();
  const isDone = async (id: string) => {
    await eventually(
      async () => (await publisher.publish(environment.message(id))) === 'confirmed',
      {
        describe: () => `${id} is not taken; ${worker.topologyFault}`,
      },
    );
    await eventually(() => done.includes(id), {
      describe: () => `${id} did not come back from its tier; ${worker.topologyFault}`,
    });
  };
  return { environment, worker, warnings, done, publisher, channel, isDone };
}

test('a second connection trusts what the first has asserted, as long as the first is open', async (t) => {
  const environment = await TestTopology.open(t);
  const { amqpUrl, declaration } = environment;
  const maintainer = new TopologyMaintainer(declaration, {
    amqpUrl,
    managementUrl: undefined,
    checkIntervalMs: 0,
    onWarning: () => undefined,
  });
  const open = async () => {
    const model = await connect(amqpUrl);
    environment.closeLater(() => model.close().catch(() => undefined));
    const counted = t.mock.method(model, 'createChannel');
    return { model, channelCount: () => counted.mock.callCount() };
  };
  const [first, second, third] = [await open(), await open(), await open()];
  const plan = await maintainer.prepare(first.model);
  assert.ok(first.channelCount() > 0);
  assert.equal(await maintainer.prepare(second.model), plan);
  assert.equal(second.channelCount(), 0);
  const channel = await environment.adminChannel();
  await channel.deleteQueue('one');
  await first.model.close();
  await maintainer.prepare(third.model);
  assert.ok(third.channelCount() > 0);
  await channel.checkQueue('one');
  await channel.deleteQueue('one');
  await maintainer.prepare(second.model, true);
  await channel.checkQueue('one');
});

test('with the management API: bindings, a wait queue and an exchange are there again', async (t) => {
  const { worker, channel, isDone, environment } = await openWatched(t, true);
  await isDone('before');
  await channel.unbindQueue('one', 'jobs', 'job.one');
  await isDone('after the public binding');
  await channel.unbindQueue('one', 'one.return', 'one.r1');
  await channel.deleteQueue('one.wait.1.100ms');
  await channel.deleteExchange('one.retry');
  await eventually(() => channelHas(environment, 'one.retry', 'one.wait.1.100ms'), {
    describe: () => 'not bound again',
  });
  await isDone('after the tier');
  assert.equal(worker.topologyFault, undefined);
});

test('without the management API all objects are restored except the bindings at .retry, with warnings', async (t) => {
  const { worker, channel, isDone, environment, warnings } = await openWatched(t, false);
  await isDone('before');
  const reported = () => warnings.filter(({ code }) => code === 'TIERS_UNBOUND');
  const lookedAgain = async () => {
    // Each binding that is back was made after the one before was.
    for (const key of ['one.r1', 'one.r2', 'one.r1']) {
      await channel.unbindQueue('one', 'one.return', key);
      await eventually(
        async () => (await bindingsOf(environment)).includes(`one.return ${key} one`),
        {
          describe: () => `${key} is not bound again; ${worker.topologyFault}`,
        },
      );
    }
  };
  await channel.unbindQueue('one', 'jobs', 'job.one');
  await isDone('after the public binding');
  // As \`topology apply\` with other tiers does: to bind this key again would double what is rejected.
  await channel.unbindQueue('one.wait.1.100ms', 'one.retry', 'job.one');
  await channel.bindQueue('one.wait.2.200ms', 'one.retry', 'job.one');
  await lookedAgain();
  assert.deepEqual(
    (await bindingsOf(environment)).filter((one) => one.startsWith('one.retry job.one ')),
    ['one.retry job.one one.wait.2.200ms'],
  );
  assert.deepEqual(reported(), []);
  await channel.deleteQueue('one.wait.3.300ms');
  await eventually(() => reported().length === 1, {
    describe: () => 'the wait queue is not reported',
  });
  await channel.deleteExchange('one.retry');
  await eventually(() => reported().length === 2, {
    describe: () => 'the exchange is not reported',
  });
  await lookedAgain();
  assert.deepEqual(
    reported().map(({ subject }) => subject),
    ['one.wait.3.300ms', 'one.retry'],
  );
  assert.deepEqual(
    (await bindingsOf(environment)).filter((one) => one.startsWith('one.retry ')),
    [],
  );
  assert.equal(worker.topologyFault, undefined);
});

test('without the management API a wait queue that is deleted while a check runs is restored with a warning, too', async (t) => {
  const environment = await TestTopology.open(t);
  const { amqpUrl, declaration } = environment;
  const warnings: Fault[] = [];
  const maintainer = new TopologyMaintainer(declaration, {
    amqpUrl,
    managementUrl: undefined,
    checkIntervalMs: 10,
    onWarning: (warning) => warnings.push(warning),
  });
  const model = await connect(amqpUrl);
  environment.closeLater(() => model.close().catch(() => undefined));
  await maintainer.prepare(model);
  const channel = await environment.adminChannel();
  const createChannel = model.createChannel.bind(model);
  let hasDeleted = false;
  t.mock.method(model, 'createChannel', async () => {
    const created = await createChannel();
    const checkQueue = created.checkQueue.bind(created);
    t.mock.method(created, 'checkQueue', async (name: string) => {
      const answer = await checkQueue(name);
      if (name === 'one.wait.3.300ms' && !hasDeleted) {
        hasDeleted = true;
        await channel.deleteQueue(name);
      }
      return answer;
    });
    return created;
  });
  const reported = () => warnings.filter(({ code }) => code === 'TIERS_UNBOUND');
  await eventually(() => reported().length > 0, {
    describe: () => `not reported, and ${hasDeleted ? '' : 'not '}deleted`,
  });
  assert.deepEqual(
    reported().map(({ subject }) => subject),
    ['one.wait.3.300ms'],
  );
  await channel.checkQueue('one.wait.3.300ms');
});

/** Source, key and destination of each. */
async function bindingsOf(environment: TestTopology): Promise<string[]> {
  const bindings = (await environment.ask('GET', `/api/bindings/${environment.vhost}`)) as {
    source: string;
    destination: string;
    routing_key: string;
  }[];
  return bindings.map((one) => `${one.source} ${one.routing_key} ${one.destination}`);
}

async function channelHas(
  environment: TestTopology,
  source: string,
  destination: string,
): Promise<boolean> {
  const bindings = await bindingsOf(environment);
  return (
    bindings.includes(`${source} job.one ${destination}`) &&
    bindings.includes('one.return one.r1 one')
  );
}

test('a deleted policy is restored, with one warning for each restored object', async (t) => {
  const { environment, channel, warnings } = await openWatched(t, true);
  await environment.ask('DELETE', `/api/policies/${environment.vhost}/one`);
  const reported = () => warnings.map(({ code, subject }) => `${code} ${subject}`);
  // One after the other: what goes while everything is asserted again comes back unseen.
  await eventually(() => reported().length === 1, { describe: () => reported().join(', ') });
  await channel.unbindQueue('one', 'jobs', 'job.one');
  await eventually(() => reported().length === 2, { describe: () => reported().join(', ') });
  assert.deepEqual(reported(), ['POLICY_MISSING one', 'BINDING_MISSING jobs [job.one] -> one']);
  const policies = (await environment.ask('GET', `/api/policies/${environment.vhost}`)) as {
    name: string;
  }[];
  assert.ok(policies.some(({ name }) => name === 'one'));
});

test('a wait queue with other arguments, which cannot be restored, is a fault as long as it exists', async (t) => {
  const { worker, channel, warnings } = await openWatched(t, true);
  await channel.deleteQueue('one.wait.1.100ms');
  await channel.assertQueue('one.wait.1.100ms', {
    durable: true,
    arguments: { 'x-expires': 600_000 },
  });
  await eventually(() => worker.topologyFault !== undefined, {
    describe: () => 'no fault is reported',
  });
  assert.match(
    worker.topologyFault ?? '',
    /TOPOLOGY_DIFFERS[^]*ARGUMENTS_DIFFER one\.wait\.1\.100ms/,
  );
  const reported = () => warnings.filter(({ code }) => code === 'ARGUMENTS_DIFFER').length;
  assert.equal(reported(), 1);
  await channel.deleteQueue('one.wait.1.100ms');
  await eventually(() => worker.topologyFault === undefined, {
    describe: () => String(worker.topologyFault),
  });
});

/** Other and more tiers; and fewer, whose wait queues all exist already, so that only the bindings show the change. */
const OTHER_TIERS = [
  { tiers: [150, 250, 350, 450], hasOwnQueues: true },
  { tiers: [100, 200], hasOwnQueues: false },
] as const;

for (const { tiers, hasOwnQueues } of OTHER_TIERS)
  test(`while tiers of ${tiers.join(', ')} ms are applied, a worker does not restore its own, and no message is duplicated`, async (t) => {
    const bindingsAsked: { untilAsked: (count: number) => Promise<void> }[] = [];
    const { environment, worker, warnings, done, publisher, channel } = await openWatched(t, true, {
      checkIntervalMs: 10,
      urlsOf: async ({ amqpUrl, managementUrl }) => {
        const proxy = await openManagementProxy(t, managementUrl);
        bindingsAsked.push(proxy);
        return { amqpUrl, managementUrl: proxy.url };
      },
    });
    // A check that finds something asks up to three times, so at least one whole check lies within.
    const looked = async () => {
      for (const proxy of bindingsAsked) await proxy.untilAsked(6);
    };
    const ids: string[] = [];
    const publish = async () => {
      const id = `m${ids.length}`;
      ids.push(id);
      assert.equal(await publisher.publish(environment.message(id)), 'confirmed');
    };
    const declaration = declareTopology({
      exchange: 'jobs',
      kinds: { one: { key: 'job.one', queue: 'one', tiers } },
    });
    const admin = await openTopologyAdmin(environment.amqpUrl, 'test changes');
    environment.closeLater(() => admin.close());
    const api = new ManagementApi(environment.managementUrl, environment.vhost);
    const onStep = async () => {
      await looked();
      await publish();
    };
    await applyTopology({ admin, api, declaration, onStep });
    await looked();
    for (let count = 0; count < 20; count += 1) await publish();
    await eventually(() => ids.every((id) => done.includes(id)), {
      describe: () => `${new Set(done).size} of ${ids.length} are done; ${worker.topologyFault}`,
    });
    const planned = planFor(declaration, admin.version)
      .bindings.filter(({ exchange }) => exchange === 'one.retry')
      .map(({ exchange, key, queue }) => `${exchange} ${key} ${queue}`);
    const atRetry = async () =>
      (await bindingsOf(environment)).filter((one) => one.startsWith('one.retry '));
    assert.deepEqual((await atRetry()).sort(), planned.sort());
    assert.deepEqual([...done].sort(), [...ids].sort());
    assert.equal(worker.topologyFault, undefined);
    const reported = () => warnings.map(({ code, subject }) => `${code} ${subject}`);
    assert.deepEqual(reported(), ['TIERS_REPLACED one']);
    // What is not of the tiers is made anew all the same.
    await channel.unbindQueue('one', 'jobs', 'job.one');
    await eventually(() => reported().length === 2, { describe: () => reported().join(', ') });
    assert.equal(reported()[1], 'BINDING_MISSING jobs [job.one] -> one');
    const { end, deletedQueues } = await drainTopology({
      admin,
      api,
      plan: planFor(declaration, admin.version),
      timeoutMs: 60_000,
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    assert.equal(end, 'drained');
    assert.equal(deletedQueues.length, hasOwnQueues ? 3 : 1);
    await looked();
    assert.deepEqual((await atRetry()).sort(), planned.sort());
    for (const queue of deletedQueues)
      await assert.rejects(
        environment.ask('GET', `/api/queues/${environment.vhost}/${queue}`),
        /404/,
      );
    assert.equal(worker.topologyFault, undefined);
    assert.equal(reported().length, 2);
  });

test('a management API that refuses the user after the start is a fault, with one warning, until it accepts the user again', async (t) => {
  const user = `user-${randomUUID()}`;
  const path = `/api/users/${user}`;
  const putUser = (password: string) =>
    askManagement({ method: 'PUT', path, body: { password, tags: 'administrator' } });
  const { worker, warnings } = await openWatched(t, true, {
    urlsOf: async ({ amqpUrl, managementUrl, vhost }) => {
      t.after(() => askManagement({ method: 'DELETE', path }));
      await putUser('first');
      await askManagement({
        method: 'PUT',
        path: `/api/permissions/${vhost}/${user}`,
        body: { configure: '.*', write: '.*', read: '.*' },
      });
      const url = new URL(managementUrl);
      Object.assign(url, { username: user, password: 'first' });
      return { amqpUrl, managementUrl: url.href };
    },
  });
  const reported = () => warnings.map(({ code }) => code);
  await putUser('second');
  await eventually(() => worker.topologyFault !== undefined, { describe: () => 'no fault' });
  assert.match(worker.topologyFault ?? '', /BROKER_REFUSED[^]*MANAGEMENT_REFUSED/);
  await putUser('first');
  await eventually(() => worker.topologyFault === undefined, {
    describe: () => String(worker.topologyFault),
  });
  assert.deepEqual(reported(), ['MANAGEMENT_REFUSED']);
});

test('a management API that does not answer is one warning after three checks, and no fault', async (t) => {
  const proxies: Awaited<ReturnType<typeof openManagementProxy>>[] = [];
  const { worker, warnings, channel, isDone } = await openWatched(t, true, {
    urlsOf: async ({ amqpUrl, managementUrl }) => {
      const proxy = await openManagementProxy(t, managementUrl);
      proxies.push(proxy);
      return { amqpUrl, managementUrl: proxy.url };
    },
  });
  const [proxy] = proxies;
  assert.ok(proxy !== undefined);
  const reported = () => warnings.map(({ code }) => code);
  proxy.isSilent = true;
  await eventually(() => reported().length > 0, { describe: () => 'nothing is reported' });
  await proxy.untilAsked(6);
  assert.deepEqual(reported(), ['CHECKS_FAILED']);
  assert.match(warnings[0]?.remedy ?? '', /did not answer/);
  assert.equal(worker.topologyFault, undefined);
  proxy.isSilent = false;
  await channel.unbindQueue('one', 'jobs', 'job.one');
  await isDone('after the silence');
});
