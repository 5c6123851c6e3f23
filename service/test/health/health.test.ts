/** Goal: health answers within its timeout whatever the dependencies do, with the reason and the time of the last change. Method: checks that pass, fail, throw and hang. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dependencyChecks, Health, type HealthCheck } from '@fit/service';

function open(ready: Record<string, HealthCheck>, alive = {}) {
  const stopping = new AbortController();
  return { stopping, health: new Health({ stopping: stopping.signal, ready, alive }) };
}

test('ready while every check holds', async () => {
  const { health } = open({ store: () => Promise.resolve(undefined), channel: () => undefined });
  const { status, body } = await health.ready();
  assert.deepEqual([status, body.status], [200, 'ready']);
  assert.deepEqual(Object.keys(body.checks), ['store', 'channel', 'accepting']);
  for (const { ok, since } of Object.values(body.checks))
    assert.ok(ok && !Number.isNaN(Date.parse(since)));
});

test('a failed check is named with its reason; the message of a rejection is not shown', async () => {
  const { health } = open({
    store: () => 'does not answer a ping',
    channel: () => Promise.reject(new Error('secret')),
  });
  const { status, body } = await health.ready();
  assert.deepEqual([status, body.status], [503, 'not ready']);
  assert.equal(body.checks['store']?.why, 'does not answer a ping');
  assert.equal(body.checks['channel']?.why, 'the check failed');
  assert.doesNotMatch(JSON.stringify(body), /secret/);
});

test('a check that throws synchronously runs again at the next probe', async () => {
  const state = { isBroken: true };
  const { health } = open({
    store: () => {
      if (state.isBroken) throw new Error('secret');
      return undefined;
    },
  });
  assert.equal((await health.ready()).body.checks['store']?.why, 'the check failed');
  state.isBroken = false;
  assert.equal((await health.ready()).status, 200);
});

test('a check that hangs fails at its timeout, and runs once for all probes that wait for it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let runCount = 0;
  const { health } = open({
    store: () => {
      runCount += 1;
      return new Promise(() => undefined);
    },
  });
  const replies = Promise.all(Array.from({ length: 50 }, () => health.ready()));
  t.mock.timers.tick(1_000);
  for (const { status, body } of await replies) {
    assert.equal(status, 503);
    assert.match(body.checks['store']?.why ?? '', /no answer within 1000 ms/);
  }
  assert.equal(runCount, 1);
});

test('`since` changes only when the result of the check changes', async () => {
  const state: { why?: string } = {};
  const { health } = open({ store: () => state.why });
  const since = async () => (await health.ready()).body.checks['store']?.since;
  const first = await since();
  assert.equal(await since(), first);
  state.why = 'gone';
  const startedAt = Date.now();
  while (Date.now() === startedAt);
  const second = await since();
  assert.notEqual(second, first);
  assert.equal(await since(), second);
});

test('after the signal the process is draining: not ready, still alive', async () => {
  const { health, stopping } = open({ store: () => undefined });
  stopping.abort();
  const { status, body } = await health.ready();
  assert.deepEqual([status, body.status, health.isDraining], [503, 'draining', true]);
  assert.match(body.checks['accepting']?.why ?? '', /asked to stop/);
  assert.equal(body.checks['store']?.ok, true);
  assert.equal((await health.alive()).status, 200);
});

test('a signal that arrives while a dependency is asked is reported in the same answer', async () => {
  for (const why of [undefined, 'does not answer a ping']) {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const { health, stopping } = open({ store: () => promise });
    const reply = health.ready();
    stopping.abort();
    resolve(why);
    const { status, body } = await reply;
    assert.deepEqual([status, body.status], [503, 'draining']);
    assert.match(body.checks['accepting']?.why ?? '', /asked to stop/);
    assert.equal(body.checks['store']?.ok, why === undefined);
  }
});

test('liveness asks no dependency and names what is stuck', async () => {
  const { health } = open(
    { store: () => new Promise(() => undefined) },
    { consumer: () => 'no sign of life for 90 s' },
  );
  const { status, body } = await health.alive();
  assert.deepEqual([status, body.status], [503, 'stuck']);
  assert.deepEqual(Object.keys(body.checks), ['loop', 'consumer']);
});

test('a topology that cannot be repaired is not ready, with its reason', async () => {
  const broker: { isUp: boolean; topologyFault?: string } = { isUp: true };
  const isStoreUp = () => Promise.resolve(true);
  const { health } = open(dependencyChecks({ isStoreUp, broker: () => broker }));
  assert.equal((await health.ready()).status, 200);
  broker.topologyFault = 'one exists with other arguments';
  const { status, body } = await health.ready();
  assert.deepEqual([status, body.checks['topology']?.why], [503, broker.topologyFault]);
});
