/** Goal: a full main queue refuses publishes and loses nothing. Method: tiers that return into it, and a burst. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { TestTopology } from '../support/testTopology.ts';
import { Arrivals } from './arrivals.ts';
import { awaitingTransferCount, fillToRefusal } from './fullMainQueue.ts';

const limited = (maxLength: number) =>
  declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'job.one', queue: 'one', tiers: [1_500, 3_000], maxLength } },
  });

test('messages that return to a full main queue await transfer until it has capacity; none is lost', async (t) => {
  const environment = await TestTopology.open(t, limited(10));
  const publisher = await environment.publisher();
  const bouncing = Array.from({ length: 8 }, (_, index) => `bounce${index}`);
  for (const id of bouncing) await publisher.publish(environment.message(id));
  const rejecter = await environment.consumer((delivery) => {
    delivery.nackToDeadLetterExchange();
  });
  await environment.expectReady('one.wait.1.1500ms', bouncing.length);
  await rejecter.close();
  const confirmed = await fillToRefusal(environment, publisher);
  const held = await eventually(
    async () => (await awaitingTransferCount(environment, 'one.wait.1.1500ms')) || undefined,
    {
      deadlineMs: 30_000,
      describe: () => 'none awaits transfer',
    },
  );
  const done = new Arrivals();
  await environment.consumer((delivery) => {
    done.take(delivery);
  });
  await done.expect(new Set([...bouncing, ...confirmed]));
  t.diagnostic(`${held} were held; ${done.copyCount} came twice, which at-least-once allows`);
  await environment.expectEmpty();
});

test('2,000 at once into a limit of 100: each is confirmed or refused, and what is confirmed is there', async (t) => {
  const environment = await TestTopology.open(t, limited(100));
  const publisher = await environment.publisher({ maxUnconfirmed: 2_000 });
  const results = await environment.publishAll(publisher, 2_000);
  const confirmedCount = results.filter((result) => result === 'confirmed').length;
  assert.deepEqual(new Set(results), new Set(['confirmed', 'nacked']));
  t.diagnostic(`${confirmedCount} of 2,000 were taken: reject-publish is soft`);
  await environment.expectReady('one', confirmedCount);
  const seen = new Set<string>();
  await environment.consumer((delivery) => {
    seen.add(delivery.messageId!);
    delivery.ack();
  });
  await eventually(() => seen.size === confirmedCount, { describe: () => `${seen.size} came` });
  for (const [index, result] of results.entries())
    assert.equal(seen.has(`m${index}`), result === 'confirmed');
  await environment.expectEmpty();
});
