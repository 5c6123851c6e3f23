/** Goal: a purge takes what it says and nothing else. Method: main and a wait queue purged in the middle, all counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { TestTopology } from '../support/testTopology.ts';

test('purged in the middle: what the broker says it took is missing, the rest ends, each once', async (t) => {
  const bench = await TestTopology.open(
    t,
    declareTopology({
      exchange: 'jobs',
      kinds: { one: { key: 'job.one', queue: 'one', tiers: [1_500, 3_000] } },
    }),
  );
  const publisher = await bench.publisher();
  await bench.publishAll(publisher, 300);
  let rejectedCount = 0;
  const rejecter = await bench.consumer(
    (delivery) => {
      rejectedCount += 1;
      if (rejectedCount <= 120) delivery.reject();
    },
    { prefetchCount: 20 },
  );
  await bench.expectReady('one.wait.1.1500ms', 120);
  // What it holds goes back.
  await rejecter.close();
  await bench.expectReady('one', 180);
  const channel = await bench.model.createChannel();
  // Some of each are left: those that come after the purge.
  await bench.publishMore(publisher, 30, 'late');
  const purgedCount =
    (await channel.purgeQueue('one')).messageCount +
    (await channel.purgeQueue('one.wait.1.1500ms')).messageCount;
  await bench.publishMore(publisher, 50, 'after');
  const seen = new Map<string, number>();
  await bench.consumer((delivery) => {
    const id = delivery.messageId!;
    seen.set(id, (seen.get(id) ?? 0) + 1);
    delivery.ack();
  });
  await eventually(() => seen.size + purgedCount === 380, {
    describe: () => `${seen.size} came, ${purgedCount} were purged`,
  });
  assert.ok([...seen.values()].every((count) => count === 1));
  assert.equal([...seen.keys()].filter((id) => id.startsWith('after')).length, 50);
  await bench.expectEmpty();
});
