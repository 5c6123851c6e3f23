/** Goal: a message that crashes its workers becomes one dead letter, at whichever attempt. Method: connections that are lost. */
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
  test(`a message that crashes each worker after ${rejectionCount} rejections is one dead letter, crashed`, async (t) => {
    const environment = await TestTopology.open(t, declaration);
    const publisher = await environment.publisher();
    const keys: string[] = [];
    const consumer = await environment.consumer(
      (delivery) => {
        keys.push(delivery.routingKey);
        if (keys.length <= rejectionCount) delivery.nackToDeadLetterExchange();
      },
      { prefetchCount: 1 },
    );
    await publisher.publish(environment.message('killer'));
    // The last delivery stays unsettled, and is requeued when the connection ends.
    await eventually(() => keys.length === rejectionCount + 1, { describe: () => keys.join(', ') });
    await consumer.close();
    const crashCount = 1 + (await crashConsumers(environment, CRASHES_AT_MOST));
    const deadLetters = await environment.takeDeadLetters(1);
    assert.deepEqual(
      deadLetters.map(({ id, cause }) => [id, cause]),
      [['killer', 'crashed']],
    );
    const { finalDeathTakesTiers, series } = await brokerFacts();
    t.diagnostic(`${series}: ${crashCount} crashes, the limit is ${environment.kind.crashLimit}`);
    const [deadLetter] = deadLetters;
    // Before 3.13 the broker does not write the reason of the last death, so the message takes the remaining tiers first.
    const wanted = finalDeathTakesTiers && rejectionCount > 0 ? 3 : rejectionCount;
    assert.equal(deadLetter?.key, wanted === 0 ? 'job.one' : `one.r${wanted}`);
    await environment.expectEmpty();
  });
