/** Goal: every death of a message ends in one dead letter with its cause. Method: short tiers, a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { attemptOf, CAUSE_HEADER, declareTopology } from '@fit/topology';
import { brokerFacts } from '../support/brokerFacts.ts';
import { TestTopology } from '../support/testTopology.ts';

test('a message that is always rejected has four attempts, none early, then is one dead letter', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const visits: { key: string; at: number; agrees: boolean | undefined }[] = [];
  await environment.consumer((delivery) => {
    const { routingKey: key, headers } = delivery;
    const attempt = attemptOf(environment.kind, key, headers);
    visits.push({ key, at: Date.now(), agrees: attempt?.agreesWithDeaths });
    delivery.nackToDeadLetterExchange();
  });
  assert.equal(await publisher.publish(environment.message('poison')), 'confirmed');
  const deadLetters = await environment.takeDeadLetters(1);
  assert.deepEqual(deadLetters, [{ id: 'poison', key: 'one.r3', cause: 'exhausted' }]);
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
  for (const [index, tierMs] of environment.kind.tiersMs.entries())
    assert.ok(waitsMs[index]! >= tierMs - 1, `${waitsMs.join(', ')} ms`);
  await environment.expectEmpty();
  assert.equal(deadLetters.length, 1);
});

test('a message that succeeds at its third attempt leaves no dead letter', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  const keys: string[] = [];
  await environment.consumer((delivery) => {
    keys.push(delivery.routingKey);
    if (delivery.routingKey === 'one.r2') delivery.ack();
    else delivery.nackToDeadLetterExchange();
  });
  await publisher.publish(environment.message('slow'));
  await eventually(() => keys.length === 3, { describe: () => keys.join(', ') });
  assert.deepEqual(keys, ['job.one', 'one.r1', 'one.r2']);
  await environment.expectEmpty();
});

test('a key of no tier ends in the dead-letter queue with the cause unknown', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  for (const exchange of ['one.return', 'one.retry'])
    await publisher.publish(environment.message(exchange, { exchange, key: 'one.r9' }));
  const deadLetters = await environment.takeDeadLetters(2);
  assert.deepEqual(
    deadLetters.map(({ id, cause }) => [id, cause]),
    [
      ['one.return', 'unknown'],
      ['one.retry', 'unknown'],
    ],
  );
  await environment.expectEmpty();
});

test('a message that is published to the park exchange with a cause is a dead letter with this cause and its key', async (t) => {
  const environment = await TestTopology.open(t);
  const publisher = await environment.publisher();
  for (const cause of ['fatal', 'malformed']) {
    const headers = { [CAUSE_HEADER]: cause };
    const message = environment.message(cause, { exchange: 'one.park', key: 'one.r1', headers });
    assert.equal(await publisher.publish(message), 'confirmed');
  }
  assert.deepEqual(await environment.takeDeadLetters(2), [
    { id: 'fatal', key: 'one.r1', cause: 'fatal' },
    { id: 'malformed', key: 'one.r1', cause: 'malformed' },
  ]);
});

const assignment = (maxLength: number, messageTtl: number, firstTierMs = 100) =>
  declareTopology({
    exchange: 'jobs',
    kinds: {
      one: {
        key: 'job.one',
        queue: 'one',
        tiers: [firstTierMs, firstTierMs + 100, firstTierMs + 200],
        maxLength,
        messageTtl,
        unsafe: ['drop-head'],
      },
    },
  });

test('assignment: what nobody takes in time is expired, without a retry', async (t) => {
  const environment = await TestTopology.open(t, assignment(100, 50));
  const publisher = await environment.publisher();
  await environment.publishAll(publisher, 5);
  const deadLetters = await environment.takeDeadLetters(5);
  assert.deepEqual(new Set(deadLetters.map(({ cause }) => cause)), new Set(['expired']));
  assert.deepEqual(deadLetters.map(({ id }) => id).sort(), ['m0', 'm1', 'm2', 'm3', 'm4']);
  await environment.expectEmpty();
});

test('assignment: a message that expires after a retry has the cause expired', async (t) => {
  // The first wait is long enough to be seen on a busy machine.
  const environment = await TestTopology.open(t, assignment(100, 400, 2_000));
  const publisher = await environment.publisher();
  const consumer = await environment.consumer(
    (delivery) => {
      delivery.nackToDeadLetterExchange();
    },
    { prefetchCount: 1 },
  );
  await publisher.publish(environment.message('late'));
  await environment.expectReady('one.wait.1.2s', 1);
  await consumer.close();
  // Before 3.13 it takes the tiers that are left, and expires after each: late, but not lost.
  const key = (await brokerFacts()).finalDeathTakesTiers ? 'one.r3' : 'one.r1';
  assert.deepEqual(await environment.takeDeadLetters(1), [{ id: 'late', key, cause: 'expired' }]);
});

test('assignment: a full queue drops its oldest, which are overflowed', async (t) => {
  const environment = await TestTopology.open(t, assignment(5, 60_000));
  const publisher = await environment.publisher();
  const results = await environment.publishAll(publisher, 20);
  assert.deepEqual(new Set(results), new Set(['confirmed']));
  await environment.expectReady('one', 5);
  const deadLetters = await environment.takeDeadLetters(15);
  assert.deepEqual(new Set(deadLetters.map(({ cause }) => cause)), new Set(['overflowed']));
  assert.deepEqual(
    deadLetters.map(({ id }) => id).sort(),
    Array.from({ length: 15 }, (_, index) => `m${index}`).sort(),
  );
});
