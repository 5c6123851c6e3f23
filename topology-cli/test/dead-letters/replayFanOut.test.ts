/** Goal: a replayed message reaches the queue that it died in, and keeps its name. Method: a fan-out on a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declareTopology } from '@fit/topology';
import { replayDeadLetters } from '../../src/dead-letters/replayDeadLetters.ts';
import { DeadLetterEnvironment } from './deadLetterEnvironment.ts';

test('a dead letter of one subscriber is not delivered to the others again', async (t) => {
  const declaration = declareTopology({
    exchange: 'shop',
    hasFanOut: true,
    kinds: {
      one: { key: 'order.paid', keys: ['order.*'], queue: 'one', tiers: [50] },
      two: { key: 'order.paid', queue: 'two', tiers: [50] },
    },
  });
  const environment = await DeadLetterEnvironment.open(t, declaration);
  // One with the key of its first attempt, one whose later key says no name.
  await environment.addDeadLetters(['first'], { key: 'order.created' });
  await environment.addDeadLetters(['later'], {
    key: 'one.r1',
    properties: { messageId: 'later', type: 'order.paid' },
  });
  const report = await replayDeadLetters(environment.replayOptions());
  assert.deepEqual([report.end, report.replayedCount], ['done', 2]);
  const replayed = await environment.drain('one');
  assert.deepEqual(
    replayed.map(({ routingKey, properties }) => [
      routingKey,
      properties.messageId,
      properties.type,
    ]),
    [
      ['one.r0', 'first', 'order.created'],
      ['one.r0', 'later', 'order.paid'],
    ],
  );
  assert.deepEqual(await environment.drain('two'), []);
});
