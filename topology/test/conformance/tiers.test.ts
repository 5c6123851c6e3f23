/** Goal: each tier is kept, and each attempt counted. Method: messages rejected to the end, every visit timed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf, declareTopology } from '@fit/topology';
import { brokerFacts } from '../support/brokerFacts.ts';
import { TestTopology } from '../support/testTopology.ts';

const MESSAGE_COUNT = 50;
/** The two clocks have whole milliseconds, and begin at different ends of the wire. */
const EARLY_MS = 1;
/** The broker's own lateness is about 10 ms (topology.md, section 3); the rest is a machine that does other things. */
const LATE_MS = 1_000;

const declaration = declareTopology({
  exchange: 'jobs',
  kinds: { one: { key: 'job.one', queue: 'one', tiers: [200, 500, 1_000] } },
});

interface Visit {
  readonly key: string;
  readonly number: number | undefined;
  readonly agrees: boolean | undefined;
  readonly atMs: number;
}

test(`${MESSAGE_COUNT} messages that are always rejected have four attempts each, none early or late, then a dead letter each`, async (t) => {
  const environment = await TestTopology.open(t, declaration);
  const publisher = await environment.publisher();
  const visits = new Map<string, Visit[]>();
  await environment.consumer(
    (delivery) => {
      const { messageId, routingKey: key, headers } = delivery;
      const attempt = attemptOf(environment.kind, key, headers);
      const seen = visits.get(messageId!) ?? [];
      const agrees = attempt?.agreesWithDeaths;
      visits.set(messageId!, [
        ...seen,
        { key, number: attempt?.number, agrees, atMs: performance.now() },
      ]);
      delivery.nackToDeadLetterExchange();
    },
    { prefetchCount: MESSAGE_COUNT },
  );
  await environment.publishAll(publisher, MESSAGE_COUNT);
  const deadLetters = await environment.takeDeadLetters(MESSAGE_COUNT);
  await environment.expectEmpty();
  // Checked once all attempts are over, when a duplicate would be here as well.
  assert.equal(deadLetters.length, MESSAGE_COUNT);
  assert.deepEqual(deadLetters.map(({ id }) => id).sort(), [...visits.keys()].sort());
  for (const { id, key, cause } of deadLetters)
    assert.deepEqual([key, cause], ['one.r3', 'exhausted'], id);
  const latenessMs = [...visits].flatMap(([id, seen]) => {
    assert.deepEqual(
      seen.map(({ key, number, agrees }) => [key, number, agrees]),
      [
        ['job.one', 1, true],
        ['one.r1', 2, true],
        ['one.r2', 3, true],
        ['one.r3', 4, true],
      ],
      id,
    );
    return environment.kind.tiersMs.map(
      (tierMs, index) => seen[index + 1]!.atMs - seen[index]!.atMs - tierMs,
    );
  });
  const [earliest, latest] = [Math.min(...latenessMs), Math.max(...latenessMs)];
  const { series } = await brokerFacts();
  t.diagnostic(`${series}: late by ${earliest.toFixed(1)} to ${latest.toFixed(1)} ms`);
  assert.ok(earliest >= -EARLY_MS, `early by ${-earliest} ms`);
  assert.ok(latest <= LATE_MS, `late by ${latest} ms`);
});
