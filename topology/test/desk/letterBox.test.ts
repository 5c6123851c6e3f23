/** Goal: what is acked is gone, what is held goes back in order, also from a killed reader. Method: a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { LetterBoxLost, openLetterBox } from '../../src/amqp/index.ts';
import { deskBroker } from '../../src/desk/index.ts';
import { openProxy } from '../support/openProxy.ts';
import { DeskBench, names } from './deskBench.ts';

test('every ack before the close arrives, however many', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(1_200));
  const box = await openLetterBox(desk.bench.amqpUrl, 'one.dead');
  for (let index = 0; index < 1_200; index += 1) {
    const letter = await box.next();
    assert.equal(letter?.messageId, `m${index}`);
    // All but every hundredth, at once, with the close right behind them.
    if (index % 100 !== 0) letter.ack();
  }
  assert.equal(await box.next(), undefined);
  await box.close();
  await desk.bench.expectReady('one.dead', 12);
  assert.deepEqual(
    await desk.ids(),
    names(1_200).filter((_, index) => index % 100 === 0),
  );
});

test('a reader that is cut off gives its letters back in order', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(600));
  const proxy = await openProxy(t, desk.bench.amqpUrl);
  const box = await openLetterBox(proxy.url, 'one.dead');
  for (let index = 0; index < 500; index += 1) await box.next();
  proxy.cut();
  await assert.rejects(async () => {
    for (;;) await box.next();
  }, LetterBoxLost);
  await box.close();
  await desk.bench.expectReady('one.dead', 600);
  assert.deepEqual(await desk.ids(), names(600));
});

test('what a box gave back is waited for: meanwhile the queue is not taken for empty', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(10));
  // Longer than this test works while it keeps them.
  const owedMs = 30_000;
  const broker = deskBroker(desk.bench.amqpUrl, { owedMs });
  const before = await broker.openBox('one.dead');
  assert.equal((await before.next())?.messageId, 'm0');
  // Behind the first, it is given all that the first gives back, and keeps it for a while.
  const other = await openLetterBox(desk.bench.amqpUrl, 'one.dead');
  await before.close();
  assert.equal(before.owedCount(), 10);
  // It owes nothing to a box before it, so until they are back it takes the queue for empty: what the boxes below must not.
  const held = await eventually(() => other.next(), { describe: () => 'nothing was given back' });
  assert.equal(held.messageId, 'm0');
  const [reader, counter] = await Promise.all([
    broker.openBox('one.dead'),
    openLetterBox(desk.bench.amqpUrl, 'one.dead', { owedCount: before.owedCount(), owedMs }),
  ]);
  const [first, readyCount] = [reader.next(), counter.readyCount()];
  await other.close();
  assert.ok((await first) !== undefined);
  assert.ok((await readyCount) > 0);
  await counter.close();
  let seenCount = 1;
  while ((await reader.next()) !== undefined) seenCount += 1;
  assert.equal(seenCount, 10);
  await reader.close();
});

test('what somebody else has taken is not waited for again', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(1));
  const box = await openLetterBox(desk.bench.amqpUrl, 'one.dead', { owedCount: 3 });
  (await box.next())?.ack();
  assert.equal(box.owedCount(), 2);
  assert.equal(await box.next(), undefined);
  assert.equal(box.owedCount(), 0);
  await box.close();
  assert.deepEqual(await desk.ids(), []);
});

test('what arrives behind the last letter is seen, and counted', async (t) => {
  const desk = await DeskBench.open(t);
  const box = await openLetterBox(desk.bench.amqpUrl, 'one.dead');
  assert.equal(await box.next(), undefined);
  await desk.park(['late']);
  const late = await eventually(() => box.next(), { describe: () => 'nothing arrived' });
  assert.equal(late.messageId, 'late');
  assert.equal(await box.readyCount(), 0);
  assert.equal(late.isCurrent, true);
  await box.close();
  assert.equal(late.isCurrent, false);
  await desk.bench.expectReady('one.dead', 1);
  assert.deepEqual(await desk.ids(), ['late']);
});
