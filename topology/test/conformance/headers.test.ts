/** Goal: the broker writes what our reading relies on. Method: one message rejected to the end, against the fixtures. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { attemptOf, deathCause, declareTopology } from '@fit/topology';
import { brokerFacts } from '../support/brokerFacts.ts';
import { EXHAUSTED, FOURTH_DELIVERY } from '../support/deathHeaders.ts';
import { TestTopology } from '../support/testTopology.ts';

const declaration = declareTopology({
  exchange: 'jobs',
  kinds: { one: { key: 'job.one', queue: 'one', tiers: [40, 80, 120] } },
});

type Headers = Readonly<Record<string, unknown>>;

/** Names of queues apart, which differ from the fixtures' on purpose. */
function shapeOf(headers: Headers): unknown {
  const deaths = headers['x-death'] as { queue: string; reason: string; count: number }[];
  const place = (queue: unknown) =>
    String(queue)
      .replace(/^.*?(?=\.wait\.\d|$)/, '')
      .slice(0, 7);
  return {
    deaths: deaths.map(({ queue, reason, count }) => [place(queue), reason, count]),
    first: [place(headers['x-first-death-queue']), headers['x-first-death-reason']],
    last: [place(headers['x-last-death-queue'] ?? ''), headers['x-last-death-reason']],
    deliveryCount: headers['x-delivery-count'] ?? 0,
  };
}

test('x-death, first and last death, delivery count: as recorded for this line', async (t) => {
  const { line } = await brokerFacts();
  const bench = await TestTopology.open(t, declaration);
  const publisher = await bench.publisher();
  const seen: Headers[] = [];
  await bench.consumer((delivery) => {
    seen.push(delivery.headers);
    delivery.reject();
  });
  await publisher.publish(bench.message('poison'));
  await eventually(() => seen.length === 4, { describe: () => JSON.stringify(seen) });
  await bench.expectReady('one.dead', 1);
  const letters: Headers[] = [];
  await bench.consumer((delivery) => letters.push(delivery.headers), { queue: 'one.dead' });
  await eventually(() => letters.length === 1, { describe: () => `${letters.length} letters` });
  assert.deepEqual(shapeOf(seen[3]!), shapeOf(FOURTH_DELIVERY[line]));
  assert.deepEqual(shapeOf({ 'x-delivery-count': 0, ...letters[0]! }), shapeOf(EXHAUSTED[line]));
  assert.equal(attemptOf(bench.kind, 'one.r3', seen[3]!)?.agreesWithDeaths, true);
  assert.equal(deathCause(bench.kind, 'one.r3', letters[0]!), 'exhausted');
});
