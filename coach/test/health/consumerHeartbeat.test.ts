/** Goal: only what a restart mends counts as stuck. Method: a worker by hand, and a clock by hand. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ConsumerHeartbeat } from '../../src/health/consumerHeartbeat.ts';

const DEADLINE_MS = 30_000;
const LIMIT_MS = DEADLINE_MS + 60_000;

function open(t: TestContext) {
  const clock = { nowMs: 0 };
  t.mock.method(performance, 'now', () => clock.nowMs);
  const worker = { isUp: true, inFlightCount: 3 };
  const pulse = new ConsumerHeartbeat(DEADLINE_MS, () => worker);
  return { clock, worker, pulse };
}

test('deliveries in hand and no attempt that ended: stuck, once the bound of an attempt is long past', (t) => {
  const { clock, pulse } = open(t);
  clock.nowMs = LIMIT_MS;
  assert.equal(pulse.check(), undefined);
  clock.nowMs += 1;
  assert.match(pulse.check() ?? '', /no sign of life for 90 s/);
});

test('an attempt that ended, and a try to connect, are signs of life', (t) => {
  const { clock, pulse } = open(t);
  clock.nowMs = LIMIT_MS;
  pulse.onEvent({ type: 'redelivered', queue: 'q' });
  clock.nowMs += LIMIT_MS;
  pulse.onSession();
  clock.nowMs += LIMIT_MS;
  assert.equal(pulse.check(), undefined);
});

test('idle is alive, however long', (t) => {
  const { clock, worker, pulse } = open(t);
  worker.inFlightCount = 0;
  clock.nowMs = 10 * LIMIT_MS;
  assert.equal(pulse.check(), undefined);
});

test('disconnected, and nobody tries to connect: stuck', (t) => {
  const { clock, worker, pulse } = open(t);
  Object.assign(worker, { isUp: false, inFlightCount: 0 });
  clock.nowMs = LIMIT_MS + 1;
  assert.match(pulse.check() ?? '', /no sign of life/);
});

test('while the store is out nothing ends, and a restart would mend nothing', (t) => {
  const { clock, pulse } = open(t);
  pulse.onEvent({ type: 'storeDown', stage: 'settle', error: new Error('out') });
  clock.nowMs = 10 * LIMIT_MS;
  assert.equal(pulse.check(), undefined);
  pulse.onEvent({ type: 'storeUp', stage: 'settle' });
  clock.nowMs += LIMIT_MS + 1;
  assert.match(pulse.check() ?? '', /no sign of life/);
});
