/** Goal: health answers in time whatever its dependencies do, and says why and since when. Method: checks of every temper. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Check, Health } from '@fit/http';

function open(ready: Record<string, Check>, alive = {}) {
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

test('one that hangs is a no within the deadline, and is asked once however many want to know', async () => {
  let askedCount = 0;
  const { health } = open({
    store: () => {
      askedCount += 1;
      return new Promise(() => undefined);
    },
  });
  const startedAt = performance.now();
  const replies = await Promise.all(Array.from({ length: 50 }, () => health.ready()));
  assert.ok(performance.now() - startedAt < 1_500);
  for (const { status, body } of replies) {
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

test('alive asks no dependency, and is told what is stuck', async () => {
  const { health } = open(
    { store: () => new Promise(() => undefined) },
    { consumer: () => 'no sign of life for 90 s' },
  );
  const { status, body } = await health.alive();
  assert.deepEqual([status, body.status], [503, 'stuck']);
  assert.deepEqual(Object.keys(body.checks), ['loop', 'consumer']);
});
