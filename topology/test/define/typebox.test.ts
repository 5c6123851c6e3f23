/** Goal: a TypeBox schema checks bodies like any other. Method: a topology of one, and its issues. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BodyInput, checkBody, defineTopology, InvalidBody } from '@fit/topology';
import { fromTypeBox } from '@fit/topology/typebox';
import Type from 'typebox';

const topology = defineTopology({
  exchange: 'mail',
  messages: { send: fromTypeBox(Type.Object({ to: Type.String({ minLength: 1 }) })) },
  queues: { outbox: { on: ['send'], retry: { delays: ['5s'] } } },
});

test('a body is checked, and what is wrong is named with its place', () => {
  const { send } = topology.messages;
  const good: BodyInput<typeof send> = { to: 'ann' };
  // @ts-expect-error: to is a text
  const bad: BodyInput<typeof send> = { to: 5 };
  assert.equal(checkBody('send', send, good), good);
  assert.throws(
    () => checkBody('send', send, bad),
    (error: unknown) =>
      error instanceof InvalidBody && error.message.includes('to: must be string'),
  );
  assert.throws(() => checkBody('send', send, {}), InvalidBody);
});
