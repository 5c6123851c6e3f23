/** Goal: a message that crashes its worker takes no other into the dead-letter queue. Method: one among many, workers that lose their connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { openProxy } from '../support/openProxy.ts';
import { TestTopology } from '../support/testTopology.ts';

const UNRELATED_COUNT = 100;

for (const [prefetchCount, workerCount] of [
  [10, 1],
  [50, 1],
  [50, 3],
] as const)
  test(`prefetch ${prefetchCount}, workers ${workerCount}: the crashing message is one dead letter, and ${UNRELATED_COUNT} others are done`, async (t) => {
    const environment = await TestTopology.open(
      t,
      declareTopology({
        exchange: 'jobs',
        kinds: { one: { key: 'job.one', queue: 'one', tiers: [50, 100], crashLimit: 3 } },
      }),
    );
    const publisher = await environment.publisher();
    await environment.publishMore(publisher, UNRELATED_COUNT / 2, 'a');
    await publisher.publish(environment.message('killer'));
    await environment.publishMore(publisher, UNRELATED_COUNT / 2, 'b');
    const done = new Set<string>();
    let crashCount = 0;
    for (let index = 0; index < workerCount; index += 1) {
      // The connection is lost as with a process that crashes: none of its deliveries is settled.
      const proxy = await openProxy(t, environment.amqpUrl);
      await environment.worker({
        amqpUrl: proxy.url,
        prefetchCount,
        // What never answers is let go soon, so that the test can end.
        deadlineMs: 1_000,
        run: async ({ delivery }) => {
          await new Promise(setImmediate);
          if (delivery.messageId === 'killer') {
            crashCount += 1;
            proxy.cut();
            return await new Promise(() => undefined);
          }
          done.add(delivery.messageId!);
          return { type: 'done', effect: undefined };
        },
      });
    }
    const deadLetters = await environment.takeDeadLetters(1);
    await eventually(() => done.size === UNRELATED_COUNT, {
      deadlineMs: 30_000,
      describe: () => `${done.size} done, ${JSON.stringify(deadLetters)}`,
    });
    assert.deepEqual(
      deadLetters.map(({ id, cause }) => [id, cause]),
      [['killer', 'crashed']],
    );
    t.diagnostic(`${crashCount} crashes, the limit is 3`);
    await environment.expectEmpty();
  });
