/** Goal: health answers in time whatever its dependencies do, and says why and since when. Method: checks of every temper. */
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

test('one that fails is named with its reason; what it threw is nobody’s business', async () => {
  const { health } = open({
    store: () => 'does not answer a ping',
    channel: () => Promise.reject(new Error('secret')),
  });
  const { status, body } = await health.ready();
  assert.deepEqual([status, body.status], [503, 'not ready']);
  assert.equal(body.checks['store']?.why, 'does not answer a ping');
  assert.equal(body.checks['channel']?.why, 'the question failed');
  assert.doesNotMatch(JSON.stringify(body), /secret/);
});

test('one that throws at once is asked again: it does not stay failed', async () => {
  const state = { isBroken: true };
  const { health } = open({
    store: () => {
      if (state.isBroken) throw new Error('secret');
      return undefined;
    },
  });
  assert.equal((await health.ready()).body.checks['store']?.why, 'the question failed');
  state.isBroken = false;
  assert.equal((await health.ready()).status, 200);
});

test('one that hangs is a no at the deadline, and is asked once however many want to know', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let askedCount = 0;
  const { health } = open({
    store: () => {
      askedCount += 1;
      return new Promise(() => undefined);
    },
  });
  const replies = Promise.all(Array.from({ length: 50 }, () => health.ready()));
  t.mock.timers.tick(1_000);
  for (const { status, body } of await replies) {
    assert.equal(status, 503);
    assert.match(body.checks['store']?.why ?? '', /no answer within 1000 ms/);
  }
  assert.equal(askedCount, 1);
});

test('since moves only when the answer does', async () => {
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

test('from the signal on it drains: not ready, still alive', async () => {
  const { health, stopping } = open({ store: () => undefined });
  stopping.abort();
  const { status, body } = await health.ready();
  assert.deepEqual([status, body.status, health.isDraining], [503, 'draining', true]);
  assert.match(body.checks['accepting']?.why ?? '', /told to stop/);
  assert.equal(body.checks['store']?.ok, true);
  assert.equal((await health.alive()).status, 200);
});

test('a signal that comes while a dependency is asked is in the answer', async () => {
  for (const why of [undefined, 'does not answer a ping']) {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const { health, stopping } = open({ store: () => promise });
    const reply = health.ready();
    stopping.abort();
    resolve(why);
    const { status, body } = await reply;
    assert.deepEqual([status, body.status], [503, 'draining']);
    assert.match(body.checks['accepting']?.why ?? '', /told to stop/);
    assert.equal(body.checks['store']?.ok, why === undefined);
  }
});

test('alive asks no dependency, and is told what is stuck', async () => {
  const { health } = open(
    { store: () => new Promise(() => undefined) },
    { consumer: () => 'no sign of life for 90 s' },
  );
  const { status, body } = await health.alive();
  assert.deepEqual([status, body.status], [503, 'stuck']);
  assert.deepEqual(Object.keys(body.checks), ['loop', 'consumer']);
});

test('a topology that cannot be mended is no topology, with its reason', async () => {
  const broker: { isUp: boolean; topologyFault?: string } = { isUp: true };
  const isStoreUp = () => Promise.resolve(true);
  const { health } = open(dependencyChecks({ isStoreUp, broker: () => broker }));
  assert.equal((await health.ready()).status, 200);
  broker.topologyFault = 'one exists with other arguments';
  const { status, body } = await health.ready();
  assert.deepEqual([status, body.checks['topology']?.why], [503, broker.topologyFault]);
});
