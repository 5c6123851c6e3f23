/** Goal: the gate lets no more messages through than the queue should hold. Method: a queue of the test's. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { DepthGate } from '../../src/relay/depthGate.ts';
import { KIND } from '../support/fakes.ts';

/** A gate whose queue has `depth` ready messages. */
function gateOf(t: TestContext) {
  const queue = { depth: 0, readingCount: 0 };
  const gate = new DepthGate({
    kind: KIND,
    readyCount: () => {
      queue.readingCount += 1;
      return Promise.resolve(queue.depth);
    },
    isReady: () => true,
  });
  t.after(() => {
    gate.stop();
  });
  /** Waits until the gate has read the queue several times. */
  const readings = async () => {
    const from = queue.readingCount;
    await eventually(() => queue.readingCount > from + 5, {
      describe: () => `${queue.readingCount} readings`,
    });
  };
  return { gate, queue, readings };
}

test('messages that the broker does not confirm are not taken for consumed', async (t) => {
  const { gate, readings } = gateOf(t);
  assert.equal(await gate.take(1_000), 1_000);
  let isPassed = false;
  void gate.take(1_000).then((count) => (isPassed = count > 0));
  await readings();
  assert.equal(isPassed, false);
});

test('messages that the queue refuses are not taken for consumed', async (t) => {
  const { gate, queue, readings } = gateOf(t);
  assert.equal(await gate.take(1_000), 1_000);
  queue.depth = 600;
  for (let message = 0; message < 1_000; message += 1) gate.end(message < 600);
  let isPassed = false;
  void gate.take(300).then((count) => (isPassed = count > 0));
  await readings();
  assert.equal(isPassed, false);
});

test('what one kind has not confirmed holds back no other kind', async (t) => {
  const [other, own] = [gateOf(t), gateOf(t)];
  assert.equal(await other.gate.take(1_000), 1_000);
  assert.equal(await own.gate.take(500), 500);
  for (let message = 0; message < 500; message += 1) own.gate.end(true);
  assert.ok((await own.gate.take(500)) > 0);
});
