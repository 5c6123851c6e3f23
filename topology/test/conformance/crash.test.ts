/** Goal: a message that ends its workers ends as one letter, whenever it begins to. Method: connections that vanish. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { brokerFacts } from '../support/brokerFacts.ts';
import { crashConsumers } from '../support/crashConsumer.ts';
import { TestTopology } from '../support/testTopology.ts';

const declaration = declareTopology({
  exchange: 'jobs',
  kinds: { one: { key: 'job.one', queue: 'one', tiers: [40, 80, 120], crashLimit: 4 } },
});
const CRASHES_AT_MOST = 40;

for (const rejectionCount of [0, 1, 2, 3])
  test(`after ${rejectionCount} rejections it kills each worker: 1 letter, crashed`, async (t) => {
    const bench = await TestTopology.open(t, declaration);
    const publisher = await bench.publisher();
    const keys: string[] = [];
    const consumer = await bench.consumer(
      (delivery) => {
        keys.push(delivery.routingKey);
        if (keys.length <= rejectionCount) delivery.reject();
      },
      { prefetchCount: 1 },
    );
    await publisher.publish(bench.message('killer'));
    // The last one stays in its hand, and comes back to the queue with the first end of a connection.
    await eventually(() => keys.length === rejectionCount + 1, { describe: () => keys.join(', ') });
    await consumer.close();
    const crashCount = 1 + (await crashConsumers(bench, CRASHES_AT_MOST));
    const letters = await bench.takeLetters(1);
    assert.deepEqual(
      letters.map(({ id, cause }) => [id, cause]),
      [['killer', 'crashed']],
    );
    const { finalDeathTakesTiers, line } = await brokerFacts();
    t.diagnostic(`${line}: ${crashCount} crashes, the limit is ${bench.kind.crashLimit}`);
    const [letter] = letters;
    // Before 3.13 the broker does not tell the last death, so it takes the tiers that are left; then it is dead, too.
    const wanted = finalDeathTakesTiers && rejectionCount > 0 ? 3 : rejectionCount;
    assert.equal(letter?.key, wanted === 0 ? 'job.one' : `one.r${wanted}`);
    await bench.expectEmpty();
  });
