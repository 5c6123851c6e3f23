/** Goal: a full main queue refuses, holds, and loses nothing. Method: tiers that return into it, and a burst. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { Bench } from '../support/bench.ts';

/** The broker offers held messages again after 3 s here, and after 180 s by itself. */
const HELD_DEADLINE_MS = 60_000;

const limited = (maxLength: number) =>
  declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'job.one', queue: 'one', tiers: [300, 600, 900], maxLength } },
  });

test('main is full while a tier returns: what is held comes in once there is room; none lost', async (t) => {
  const bench = await Bench.open(t, limited(10));
  const publisher = await bench.publisher();
  const bouncing = Array.from({ length: 8 }, (_, index) => `bounce${index}`);
  for (const id of bouncing) await publisher.publish(bench.message(id));
  const rejecter = await bench.consumer((delivery) => {
    delivery.reject();
  });
  await bench.expectReady('one.wait.1.300ms', 8);
  await rejecter.close();
  const confirmed: string[] = [];
  let isRefused = false;
  for (let index = 0; !isRefused; index += 1) {
    assert.ok(index < 200, 'never refused');
    const result = await publisher.publish(bench.message(`fill${index}`));
    if (result === 'confirmed') confirmed.push(`fill${index}`);
    else isRefused = result === 'nacked';
  }
  await bench.expectReady('one.wait.1.300ms', 0);
  const seen = new Map<string, number>();
  await bench.consumer((delivery) => {
    const id = delivery.messageId!;
    seen.set(id, (seen.get(id) ?? 0) + 1);
    delivery.ack();
  });
  const wanted = new Set([...bouncing, ...confirmed]);
  await eventually(() => seen.size === wanted.size, {
    deadlineMs: HELD_DEADLINE_MS,
    describe: () => `${seen.size} of ${wanted.size}: ${[...seen.keys()].join(', ')}`,
  });
  assert.deepEqual(new Set(seen.keys()), wanted);
  const copyCount = [...seen.values()].reduce((sum, count) => sum + count - 1, 0);
  t.diagnostic(`${copyCount} came twice, which at-least-once allows`);
  await bench.expectEmpty();
});

test('2,000 at once into a limit of 100: each is confirmed or refused, and what is confirmed is there', async (t) => {
  const bench = await Bench.open(t, limited(100));
  const publisher = await bench.publisher({ windowCount: 2_000 });
  const results = await bench.publishAll(publisher, 2_000);
  const confirmedCount = results.filter((result) => result === 'confirmed').length;
  assert.deepEqual(new Set(results), new Set(['confirmed', 'nacked']));
  t.diagnostic(`${confirmedCount} of 2,000 were taken: reject-publish is soft`);
  await bench.expectReady('one', confirmedCount);
  const seen = new Set<string>();
  await bench.consumer((delivery) => {
    seen.add(delivery.messageId!);
    delivery.ack();
  });
  await eventually(() => seen.size === confirmedCount, { describe: () => `${seen.size} came` });
  for (const [index, result] of results.entries())
    assert.equal(seen.has(`m${index}`), result === 'confirmed');
  await bench.expectEmpty();
});
