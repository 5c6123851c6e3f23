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

test(`${MESSAGE_COUNT} rejected each time: four attempts each, no tier early or late, a letter each`, async (t) => {
  const bench = await TestTopology.open(t, declaration);
  const publisher = await bench.publisher();
  const visits = new Map<string, Visit[]>();
  await bench.consumer(
    (delivery) => {
      const { messageId, routingKey: key, headers } = delivery;
      const attempt = attemptOf(bench.kind, key, headers);
      const seen = visits.get(messageId!) ?? [];
      const agrees = attempt?.agreesWithDeaths;
      visits.set(messageId!, [
        ...seen,
        { key, number: attempt?.number, agrees, atMs: performance.now() },
      ]);
      delivery.reject();
    },
    { prefetchCount: MESSAGE_COUNT },
  );
  await bench.publishAll(publisher, MESSAGE_COUNT);
  const letters = await bench.takeLetters(MESSAGE_COUNT);
  await bench.expectEmpty();
  // Looked at once all is over: a letter that came twice would be here.
  assert.equal(letters.length, MESSAGE_COUNT);
  assert.deepEqual(letters.map(({ id }) => id).sort(), [...visits.keys()].sort());
  for (const { id, key, cause } of letters)
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
    return bench.kind.tiersMs.map(
      (tierMs, index) => seen[index + 1]!.atMs - seen[index]!.atMs - tierMs,
    );
  });
  const [earliest, latest] = [Math.min(...latenessMs), Math.max(...latenessMs)];
  const { line } = await brokerFacts();
  t.diagnostic(`${line}: late by ${earliest.toFixed(1)} to ${latest.toFixed(1)} ms`);
  assert.ok(earliest >= -EARLY_MS, `early by ${-earliest} ms`);
  assert.ok(latest <= LATE_MS, `late by ${latest} ms`);
});
