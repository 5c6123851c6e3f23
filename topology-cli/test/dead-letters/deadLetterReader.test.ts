/** Goal: acknowledged messages are gone, held ones are requeued in order, also from a killed reader. Method: a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { DeadLetterReaderLost, openDeadLetterReader } from '@fit/topology/amqp';
import { openProxy } from '../../../topology/test/support/openProxy.ts';
import { DeadLetterEnvironment, names } from './deadLetterEnvironment.ts';

test('every acknowledgement before the close arrives, however many', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(names(1_200));
  const reader = await openDeadLetterReader(environment.testTopology.amqpUrl, 'one.dead');
  for (let index = 0; index < 1_200; index += 1) {
    const deadLetter = await reader.next();
    assert.equal(deadLetter?.messageId, `m${index}`);
    // All but every hundredth, at once, with the close right behind them.
    if (index % 100 !== 0) deadLetter.ack();
  }
  assert.equal(await reader.next(), undefined);
  await reader.close();
  await environment.testTopology.expectReady('one.dead', 12);
  assert.deepEqual(
    await environment.ids(),
    names(1_200).filter((_, index) => index % 100 === 0),
  );
});

test('messages of a reader whose connection is cut are requeued in order', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(names(600));
  const proxy = await openProxy(t, environment.testTopology.amqpUrl);
  const reader = await openDeadLetterReader(proxy.url, 'one.dead');
  for (let index = 0; index < 500; index += 1) await reader.next();
  proxy.cut();
  await assert.rejects(async () => {
    for (;;) await reader.next();
  }, DeadLetterReaderLost);
  await reader.close();
  await environment.testTopology.expectReady('one.dead', 600);
  assert.deepEqual(await environment.ids(), names(600));
});

test('once a reader is closed, the messages that it held are ready again', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(names(3_000));
  const inspector = await environment.broker.openInspector();
  t.after(() => inspector.close());
  for (let turn = 0; turn < 5; turn += 1) {
    const reader = await openDeadLetterReader(environment.testTopology.amqpUrl, 'one.dead');
    for (let index = 0; index < 1_000; index += 1) await reader.next();
    await reader.close();
    assert.equal((await inspector.depthOf('one.dead')).readyCount, 3_000, `turn ${turn + 1}`);
  }
  assert.deepEqual(await environment.ids(), names(3_000));
});

test('a close does not wait for messages that another consumer takes', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(names(10));
  const reader = await openDeadLetterReader(environment.testTopology.amqpUrl, 'one.dead', {
    requeueTimeoutMs: 3_600_000,
  });
  assert.equal((await reader.next())?.messageId, 'm0');
  const other = await openDeadLetterReader(environment.testTopology.amqpUrl, 'one.dead');
  // It would take an hour.
  await reader.close();
  const held = await eventually(() => other.next(), { describe: () => 'nothing was given back' });
  assert.equal(held.messageId, 'm0');
  await other.close();
});

test('a message that arrives behind the last one is read and counted', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  const reader = await openDeadLetterReader(environment.testTopology.amqpUrl, 'one.dead');
  assert.equal(await reader.next(), undefined);
  await environment.addDeadLetters(['late']);
  const late = await eventually(() => reader.next(), { describe: () => 'nothing arrived' });
  assert.equal(late.messageId, 'late');
  assert.equal(await reader.readyCount(), 0);
  assert.equal(late.isCurrent, true);
  await reader.close();
  assert.equal(late.isCurrent, false);
  await environment.testTopology.expectReady('one.dead', 1);
  assert.deepEqual(await environment.ids(), ['late']);
});
