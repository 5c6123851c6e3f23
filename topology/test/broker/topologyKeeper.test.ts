/**
 * Goal: what somebody deletes on a running broker is there again soon, or the process says why not. Method: a worker that
 * looks often, objects deleted over AMQP and over the management API.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import type { Fault } from '@fit/topology';
import { Worker } from '@fit/topology/work';
import { Bench } from '../support/bench.ts';

const CHECK_INTERVAL_MS = 100;

async function openWatched(t: TestContext, hasManagement: boolean) {
  const bench = await Bench.open(t);
  const { amqpUrl, declaration } = bench;
  const managementUrl = hasManagement ? bench.managementUrl : undefined;
  const warnings: Fault[] = [];
  const done: (string | undefined)[] = [];
  const worker = await Worker.open({
    declaration,
    kind: 'one',
    amqpUrl,
    managementUrl,
    checkIntervalMs: CHECK_INTERVAL_MS,
    onWarning: (warning) => warnings.push(warning),
    run: ({ delivery, attempt }) => {
      if (attempt.number === 1) throw new Error('again');
      done.push(delivery.messageId);
      return undefined;
    },
  });
  bench.closeLater(() => worker.close());
  // Not asserted by the publisher, so that only the worker can mend anything.
  const publisher = await bench.publisher({ prepare: () => Promise.resolve() });
  const channel = await bench.adminChannel();
  const isDone = async (id: string) => {
    await eventually(async () => (await publisher.publish(bench.message(id))) === 'confirmed', {
      describe: () => `${id} is not taken; ${worker.topologyFault}`,
    });
    await eventually(() => done.includes(id), {
      describe: () => `${id} did not come back from its tier; ${worker.topologyFault}`,
    });
  };
  return { bench, worker, warnings, channel, isDone };
}

for (const hasManagement of [true, false])
  test(`${hasManagement ? 'with' : 'without'} the management API: bindings, a wait queue and an exchange are there again`, async (t) => {
    const { worker, channel, isDone, bench } = await openWatched(t, hasManagement);
    await isDone('before');
    await channel.unbindQueue('one', 'jobs', 'job.one');
    await isDone('after the public binding');
    await channel.unbindQueue('one', 'one.return', 'one.r1');
    await channel.deleteQueue('one.wait.1.100ms');
    await channel.deleteExchange('one.retry');
    await eventually(() => channelHas(bench, 'one.retry', 'one.wait.1.100ms'), {
      describe: () => 'not bound again',
    });
    await isDone('after the tier');
    assert.equal(worker.topologyFault, undefined);
  });

async function channelHas(bench: Bench, source: string, destination: string): Promise<boolean> {
  const bindings = (await bench.ask('GET', `/api/bindings/${bench.vhost}`)) as {
    source: string;
    destination: string;
    routing_key: string;
  }[];
  const has = (wantedSource: string, wantedDestination: string, key: string) =>
    bindings.some(
      (one) =>
        one.source === wantedSource &&
        one.destination === wantedDestination &&
        one.routing_key === key,
    );
  return has(source, destination, 'job.one') && has('one.return', 'one', 'one.r1');
}

test('a policy that was deleted is put again, and each thing that was mended is told', async (t) => {
  const { bench, channel, warnings } = await openWatched(t, true);
  await bench.ask('DELETE', `/api/policies/${bench.vhost}/one`);
  const told = () => warnings.map(({ code, culprit }) => `${code} ${culprit}`);
  // One after the other: what goes while everything is asserted again comes back unseen.
  await eventually(() => told().length === 1, { describe: () => told().join(', ') });
  await channel.unbindQueue('one', 'jobs', 'job.one');
  await eventually(() => told().length === 2, { describe: () => told().join(', ') });
  assert.deepEqual(told(), ['POLICY_MISSING one', 'BINDING_MISSING jobs [job.one] -> one']);
  const policies = (await bench.ask('GET', `/api/policies/${bench.vhost}`)) as { name: string }[];
  assert.ok(policies.some(({ name }) => name === 'one'));
});

test('what cannot be mended is told as long as it lasts: a wait queue with other arguments', async (t) => {
  const { worker, channel, warnings } = await openWatched(t, true);
  await channel.deleteQueue('one.wait.1.100ms');
  await channel.assertQueue('one.wait.1.100ms', {
    durable: true,
    arguments: { 'x-expires': 600_000 },
  });
  await eventually(() => worker.topologyFault !== undefined, {
    describe: () => 'no fault is told',
  });
  assert.match(
    worker.topologyFault ?? '',
    /TOPOLOGY_DIFFERS[^]*ARGUMENTS_DIFFER one\.wait\.1\.100ms/,
  );
  const told = () => warnings.filter(({ code }) => code === 'ARGUMENTS_DIFFER').length;
  assert.equal(told(), 1);
  await channel.deleteQueue('one.wait.1.100ms');
  await eventually(() => worker.topologyFault === undefined, {
    describe: () => String(worker.topologyFault),
  });
});
