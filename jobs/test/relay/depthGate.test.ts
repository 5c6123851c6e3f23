/** Goal: the gate lets no more messages through than the queue should hold. Method: a queue of the test's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { DepthGate } from '../../src/relay/depthGate.ts';
import { KIND } from '../support/fakes.ts';

test('messages that the broker does not confirm are not taken for consumed', async (t) => {
  let readingCount = 0;
  const gate = new DepthGate({
    kind: KIND,
    readyCount: () => {
      readingCount += 1;
      return Promise.resolve(0);
    },
    isReady: () => true,
    unconfirmedCount: () => passedCount,
  });
  t.after(() => {
    gate.stop();
  });
  let passedCount = 0;
  passedCount = await gate.take(1_000);
  assert.equal(passedCount, 1_000);
  let isPassed = false;
  void gate.take(1_000).then((count) => (isPassed = count > 0));
  await eventually(() => readingCount > 10, { describe: () => String(readingCount) });
  assert.equal(isPassed, false);
});
