/** Goal: a killer takes no innocent along. Method: one among many, workers that end with their connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { Worker } from '@fit/topology/work';
import { openProxy } from '../support/openProxy.ts';
import { TestTopology } from '../support/testTopology.ts';

const INNOCENT_COUNT = 100;

for (const [prefetchCount, workerCount] of [
  [10, 1],
  [50, 1],
  [50, 3],
] as const)
  test(`prefetch ${prefetchCount}, workers ${workerCount}: the killer is 1 letter, crashed, and ${INNOCENT_COUNT} are done`, async (t) => {
    const bench = await TestTopology.open(
      t,
      declareTopology({
        exchange: 'jobs',
        kinds: { one: { key: 'job.one', queue: 'one', tiers: [50, 100], crashLimit: 3 } },
      }),
    );
    const publisher = await bench.publisher();
    await bench.publishMore(publisher, INNOCENT_COUNT / 2, 'a');
    await publisher.publish(bench.message('killer'));
    await bench.publishMore(publisher, INNOCENT_COUNT / 2, 'b');
    const done = new Set<string>();
    let crashCount = 0;
    const { declaration, managementUrl } = bench;
    for (let index = 0; index < workerCount; index += 1) {
      // Cut, as a dying process cuts it: nothing that it held is settled.
      const proxy = await openProxy(t, bench.amqpUrl);
      const worker = await Worker.open({
        declaration,
        kind: 'one',
        amqpUrl: proxy.url,
        managementUrl,
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
      bench.closeLater(() => worker.close());
    }
    const letters = await bench.takeLetters(1);
    await eventually(() => done.size === INNOCENT_COUNT, {
      deadlineMs: 30_000,
      describe: () => `${done.size} done, ${JSON.stringify(letters)}`,
    });
    assert.deepEqual(
      letters.map(({ id, cause }) => [id, cause]),
      [['killer', 'crashed']],
    );
    t.diagnostic(`${crashCount} crashes, the limit is 3`);
    await bench.expectEmpty();
  });
