/** Goal: the broker writes the headers that this library relies on. Method: one message rejected at every attempt, against the fixtures. */
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

test('x-death, first and last death and delivery count are as recorded for this release series', async (t) => {
  const { series } = await brokerFacts();
  const environment = await TestTopology.open(t, declaration);
  const publisher = await environment.publisher();
  const seen: Headers[] = [];
  await environment.consumer((delivery) => {
    seen.push(delivery.headers);
    delivery.nackToDeadLetterExchange();
  });
  await publisher.publish(environment.message('poison'));
  await eventually(() => seen.length === 4, { describe: () => JSON.stringify(seen) });
  await environment.expectReady('one.dead', 1);
  const deadLetters: Headers[] = [];
  await environment.consumer((delivery) => deadLetters.push(delivery.headers), {
    queue: 'one.dead',
  });
  await eventually(() => deadLetters.length === 1, {
    describe: () => `${deadLetters.length} deadLetters`,
  });
  assert.deepEqual(shapeOf(seen[3]!), shapeOf(FOURTH_DELIVERY[series]));
  assert.deepEqual(
    shapeOf({ 'x-delivery-count': 0, ...deadLetters[0]! }),
    shapeOf(EXHAUSTED[series]),
  );
  assert.equal(attemptOf(environment.kind, 'one.r3', seen[3]!)?.agreesWithDeaths, true);
  assert.equal(deathCause(environment.kind, 'one.r3', deadLetters[0]!), 'exhausted');
});
