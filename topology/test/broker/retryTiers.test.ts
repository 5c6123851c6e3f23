/** Goal: every way a message can die ends in one letter with its cause. Method: short tiers, a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { attemptOf, CAUSE_HEADER, declareTopology } from '@fit/topology';
import { brokerFacts } from '../support/brokerFacts.ts';
import { TestTopology } from '../support/testTopology.ts';

test('rejected each time: four attempts, no tier early, then one letter', async (t) => {
  const bench = await TestTopology.open(t);
  const publisher = await bench.publisher();
  const visits: { key: string; at: number; agrees: boolean | undefined }[] = [];
  await bench.consumer((delivery) => {
    const { routingKey: key, headers } = delivery;
    const attempt = attemptOf(bench.kind, key, headers);
    visits.push({ key, at: Date.now(), agrees: attempt?.agreesWithDeaths });
    delivery.reject();
  });
  assert.equal(await publisher.publish(bench.message('poison')), 'confirmed');
  const letters = await bench.takeLetters(1);
  assert.deepEqual(letters, [{ id: 'poison', key: 'one.r3', cause: 'exhausted' }]);
  assert.deepEqual(
    visits.map(({ key, agrees }) => [key, agrees]),
    [
      ['job.one', true],
      ['one.r1', true],
      ['one.r2', true],
      ['one.r3', true],
    ],
  );
  const waitsMs = visits.slice(1).map(({ at }, index) => at - visits[index]!.at);
  for (const [index, tierMs] of bench.kind.tiersMs.entries())
    assert.ok(waitsMs[index]! >= tierMs - 1, `${waitsMs.join(', ')} ms`);
  await bench.expectEmpty();
  assert.equal(letters.length, 1);
});

test('one that succeeds at its third attempt leaves no letter', async (t) => {
  const bench = await TestTopology.open(t);
  const publisher = await bench.publisher();
  const keys: string[] = [];
  await bench.consumer((delivery) => {
    keys.push(delivery.routingKey);
    if (delivery.routingKey === 'one.r2') delivery.ack();
    else delivery.reject();
  });
  await publisher.publish(bench.message('slow'));
  await eventually(() => keys.length === 3, { describe: () => keys.join(', ') });
  assert.deepEqual(keys, ['job.one', 'one.r1', 'one.r2']);
  await bench.expectEmpty();
});

test('a key of no tier ends in the dead-letter queue with the cause unknown', async (t) => {
  const bench = await TestTopology.open(t);
  const publisher = await bench.publisher();
  for (const exchange of ['one.return', 'one.retry'])
    await publisher.publish(bench.message(exchange, { exchange, key: 'one.r9' }));
  const letters = await bench.takeLetters(2);
  assert.deepEqual(
    letters.map(({ id, cause }) => [id, cause]),
    [
      ['one.return', 'unknown'],
      ['one.retry', 'unknown'],
    ],
  );
  await bench.expectEmpty();
});

test('parked with a cause, it lies there with that cause, at the key it had', async (t) => {
  const bench = await TestTopology.open(t);
  const publisher = await bench.publisher();
  for (const cause of ['fatal', 'malformed']) {
    const headers = { [CAUSE_HEADER]: cause };
    const message = bench.message(cause, { exchange: 'one.park', key: 'one.r1', headers });
    assert.equal(await publisher.publish(message), 'confirmed');
  }
  assert.deepEqual(await bench.takeLetters(2), [
    { id: 'fatal', key: 'one.r1', cause: 'fatal' },
    { id: 'malformed', key: 'one.r1', cause: 'malformed' },
  ]);
});

const assignment = (maxLength: number, messageTtl: number) =>
  declareTopology({
    exchange: 'jobs',
    kinds: {
      one: {
        key: 'job.one',
        queue: 'one',
        tiers: [100, 200, 300],
        maxLength,
        messageTtl,
        unsafe: ['drop-head'],
      },
    },
  });

test('assignment: what nobody takes in time is expired, without a retry', async (t) => {
  const bench = await TestTopology.open(t, assignment(100, 50));
  const publisher = await bench.publisher();
  await bench.publishAll(publisher, 5);
  const letters = await bench.takeLetters(5);
  assert.deepEqual(new Set(letters.map(({ cause }) => cause)), new Set(['expired']));
  assert.deepEqual(letters.map(({ id }) => id).sort(), ['m0', 'm1', 'm2', 'm3', 'm4']);
  await bench.expectEmpty();
});

test('assignment: expired after a retry is still told apart', async (t) => {
  const bench = await TestTopology.open(t, assignment(100, 400));
  const publisher = await bench.publisher();
  const consumer = await bench.consumer(
    (delivery) => {
      delivery.reject();
    },
    { prefetchCount: 1 },
  );
  await publisher.publish(bench.message('late'));
  await bench.expectReady('one.wait.1.100ms', 1);
  await consumer.close();
  // Before 3.13 it takes the tiers that are left, and expires after each: late, but not lost.
  const key = (await brokerFacts()).finalDeathTakesTiers ? 'one.r3' : 'one.r1';
  assert.deepEqual(await bench.takeLetters(1), [{ id: 'late', key, cause: 'expired' }]);
});

test('assignment: a full queue drops its oldest, which are overflowed', async (t) => {
  const bench = await TestTopology.open(t, assignment(5, 60_000));
  const publisher = await bench.publisher();
  const results = await bench.publishAll(publisher, 20);
  assert.deepEqual(new Set(results), new Set(['confirmed']));
  await bench.expectReady('one', 5);
  const letters = await bench.takeLetters(15);
  assert.deepEqual(new Set(letters.map(({ cause }) => cause)), new Set(['overflowed']));
  assert.deepEqual(
    letters.map(({ id }) => id).sort(),
    Array.from({ length: 15 }, (_, index) => `m${index}`).sort(),
  );
});
