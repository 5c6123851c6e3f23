/** Goal: what is acked is gone, what is held goes back in order, also from a killed reader. Method: a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { DeadLetterReaderLost, openDeadLetterReader } from '@fit/topology/amqp';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import { DeskBench, names } from './deskBench.ts';

test('every ack before the close arrives, however many', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(1_200));
  const box = await openDeadLetterReader(desk.bench.amqpUrl, 'one.dead');
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
  const box = await openDeadLetterReader(proxy.url, 'one.dead');
  for (let index = 0; index < 500; index += 1) await box.next();
  proxy.cut();
  await assert.rejects(async () => {
    for (;;) await box.next();
  }, DeadLetterReaderLost);
  await box.close();
  await desk.bench.expectReady('one.dead', 600);
  assert.deepEqual(await desk.ids(), names(600));
});

test('when a box is closed, what it held is ready again', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(3_000));
  const inspector = await desk.broker.openInspector();
  t.after(() => inspector.close());
  for (let turn = 0; turn < 5; turn += 1) {
    const box = await openDeadLetterReader(desk.bench.amqpUrl, 'one.dead');
    for (let index = 0; index < 1_000; index += 1) await box.next();
    await box.close();
    assert.equal((await inspector.depthOf('one.dead')).readyCount, 3_000, `turn ${turn + 1}`);
  }
  assert.deepEqual(await desk.ids(), names(3_000));
});

test('a close does not wait for letters that another consumer takes', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(10));
  const box = await openDeadLetterReader(desk.bench.amqpUrl, 'one.dead', {
    requeueTimeoutMs: 3_600_000,
  });
  assert.equal((await box.next())?.messageId, 'm0');
  const other = await openDeadLetterReader(desk.bench.amqpUrl, 'one.dead');
  // It would take an hour.
  await box.close();
  const held = await eventually(() => other.next(), { describe: () => 'nothing was given back' });
  assert.equal(held.messageId, 'm0');
  await other.close();
});

test('what arrives behind the last letter is seen, and counted', async (t) => {
  const desk = await DeskBench.open(t);
  const box = await openDeadLetterReader(desk.bench.amqpUrl, 'one.dead');
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
