/** Goal: only a condition that a restart repairs counts as stuck. Method: a stub worker and an injected clock. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ConsumerHeartbeat } from '../../src/health/consumerHeartbeat.ts';

const DEADLINE_MS = 30_000;
const LIMIT_MS = DEADLINE_MS + 60_000;

function open(t: TestContext) {
  const clock = { nowMs: 0 };
  t.mock.method(performance, 'now', () => clock.nowMs);
  const worker = { isUp: true, inFlightCount: 3 };
  const heartbeat = new ConsumerHeartbeat(DEADLINE_MS, () => worker);
  return { clock, worker, heartbeat };
}

test('with unsettled deliveries and no attempt that ends the consumer is stuck after the limit', (t) => {
  const { clock, heartbeat } = open(t);
  clock.nowMs = LIMIT_MS;
  assert.equal(heartbeat.check(), undefined);
  clock.nowMs += 1;
  assert.match(heartbeat.check() ?? '', /no sign of life for 90 s/);
});

test('the end of an attempt and a try to connect are signs of life', (t) => {
  const { clock, heartbeat } = open(t);
  clock.nowMs = LIMIT_MS;
  heartbeat.onEvent({ type: 'redelivered', queue: 'q' });
  clock.nowMs += LIMIT_MS;
  heartbeat.onBroker({ type: 'connectFailed', purpose: 'consume' });
  clock.nowMs += LIMIT_MS;
  assert.equal(heartbeat.check(), undefined);
});

test('an idle consumer is alive, however long it is idle', (t) => {
  const { clock, worker, heartbeat } = open(t);
  worker.inFlightCount = 0;
  clock.nowMs = 10 * LIMIT_MS;
  assert.equal(heartbeat.check(), undefined);
});

test('a disconnected consumer that does not try to connect is stuck', (t) => {
  const { clock, worker, heartbeat } = open(t);
  Object.assign(worker, { isUp: false, inFlightCount: 0 });
  clock.nowMs = LIMIT_MS + 1;
  assert.match(heartbeat.check() ?? '', /no sign of life/);
});

test('a consumer that waits for the database in any stage is not stuck', (t) => {
  const { clock, heartbeat } = open(t);
  for (const stage of ['storeEffects', 'changeRecords'])
    heartbeat.onEvent({ type: 'storeDown', stage, error: new Error('out') });
  clock.nowMs = 10 * LIMIT_MS;
  assert.equal(heartbeat.check(), undefined);
  heartbeat.onEvent({ type: 'storeUp', stage: 'storeEffects' });
  clock.nowMs += 10 * LIMIT_MS;
  assert.equal(heartbeat.check(), undefined);
  heartbeat.onEvent({ type: 'storeUp', stage: 'changeRecords' });
  clock.nowMs += LIMIT_MS + 1;
  assert.match(heartbeat.check() ?? '', /no sign of life/);
});
