/** Goal: a purge removes as many messages as it reports. Method: main and a wait queue purged at work, all messages counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { TestTopology } from '../support/testTopology.ts';

test('after a purge the number of messages that the broker reported is missing, and each other message ends once', async (t) => {
  const environment = await TestTopology.open(
    t,
    declareTopology({
      exchange: 'jobs',
      kinds: { one: { key: 'job.one', queue: 'one', tiers: [1_500, 3_000] } },
    }),
  );
  const publisher = await environment.publisher();
  await environment.publishAll(publisher, 300);
  let rejectedCount = 0;
  const rejecter = await environment.consumer(
    (delivery) => {
      rejectedCount += 1;
      if (rejectedCount <= 120) delivery.nackToDeadLetterExchange();
    },
    { prefetchCount: 20 },
  );
  await environment.expectReady('one.wait.1.1500ms', 120);
  // Its unsettled deliveries are requeued.
  await rejecter.close();
  await environment.expectReady('one', 180);
  const channel = await environment.model.createChannel();
  // Some of each are left: those that come after the purge.
  await environment.publishMore(publisher, 30, 'late');
  const purgedCount =
    (await channel.purgeQueue('one')).messageCount +
    (await channel.purgeQueue('one.wait.1.1500ms')).messageCount;
  await environment.publishMore(publisher, 50, 'after');
  const seen = new Map<string, number>();
  await environment.consumer((delivery) => {
    const id = delivery.messageId!;
    seen.set(id, (seen.get(id) ?? 0) + 1);
    delivery.ack();
  });
  await eventually(() => seen.size + purgedCount === 380, {
    describe: () => `${seen.size} came, ${purgedCount} were purged`,
  });
  assert.ok([...seen.values()].every((count) => count === 1));
  assert.equal([...seen.keys()].filter((id) => id.startsWith('after')).length, 50);
  await environment.expectEmpty();
});
