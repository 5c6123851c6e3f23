/** Goal: every settled delivery is acknowledged once, and no other. Method: a model of the broker, and every order of settling. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planAcks } from '../../src/amqp/ackBatcher.ts';

test('a prefix is one ack, and what lies behind an unsettled delivery is acknowledged alone', () => {
  assert.deepEqual(planAcks([3, 1, 2], Infinity), { upTo: 3, single: [] });
  assert.deepEqual(planAcks([1, 2, 5, 7], 4), { upTo: 2, single: [5, 7] });
  assert.deepEqual(planAcks([5, 7], 4), { upTo: undefined, single: [5, 7] });
  assert.deepEqual(planAcks([9], Infinity), { upTo: 9, single: [] });
});

test('property: whatever the order and the turns, the broker holds what is not acknowledged', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray(Array.from({ length: 30 }, (_, index) => index + 1)),
      fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1 }),
      (order, turns) => {
        const unsettled = new Set(Array.from({ length: 30 }, (_, index) => index + 1));
        const atBroker = new Set(unsettled);
        for (let turn = 0, from = 0; from < order.length; turn += 1) {
          const tags = order.slice(from, from + (turns[turn % turns.length] ?? 1));
          from += tags.length;
          for (const tag of tags) unsettled.delete(tag);
          const { upTo, single } = planAcks(tags, [...unsettled][0] ?? Infinity);
          // The broker closes the channel at a tag that it does not hold.
          if (upTo !== undefined) assert.ok(atBroker.has(upTo));
          for (const tag of [...atBroker]) if (tag <= (upTo ?? 0)) atBroker.delete(tag);
          for (const tag of single) assert.ok(atBroker.delete(tag));
          assert.deepEqual(atBroker, unsettled);
        }
      },
    ),
  );
});
