/** Goal: failures alike are one group. Method: messages that differ in ids, and in words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeError, fingerprint } from '../../src/record/fingerprint.ts';

test('numbers and hex ids do not count, words and classes do', () => {
  const one = fingerprint('Error', 'user 42 of 507f1f77bcf86cd799439011 is gone');
  assert.match(one, /^[0-9a-f]{12}$/);
  assert.equal(fingerprint('Error', 'user 7 of 00000f77bcf86cd799439012 is gone'), one);
  assert.notEqual(fingerprint('Error', 'user 42 of 507f1f77bcf86cd799439011 is here'), one);
  assert.notEqual(fingerprint('TypeError', 'user 42 of 507f1f77bcf86cd799439011 is gone'), one);
});

test('anything thrown becomes a bounded record', () => {
  class Special extends Error {
    override name = 'Special';
  }
  assert.equal(describeError(new Special('no')).class, 'Special');
  const long = describeError(new Error('word '.repeat(10_000)));
  assert.equal(long.message.length, 500);
  const table: [unknown, string, string][] = [
    ['text', 'string', 'text'],
    [undefined, 'undefined', 'undefined'],
    [null, 'object', 'null'],
    [7, 'number', '7'],
  ];
  for (const [thrown, errorClass, message] of table) {
    const described = describeError(thrown);
    assert.deepEqual([described.class, described.message], [errorClass, message]);
  }
});

test('what cannot be printed does not throw in its turn', () => {
  for (const hostile of [
    Object.create(null),
    {
      toString: () => {
        throw new Error('no');
      },
    },
  ])
    assert.equal(describeError(hostile).class, 'object');
});
