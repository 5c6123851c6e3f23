/** Goal: every thrown value is described within bounds. Method: errors, other values, and objects that cannot become text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeError } from '../../src/record/describeError.ts';

test('every thrown value has a class and a bounded message', () => {
  class Special extends Error {
    override name = 'Special';
  }
  assert.equal(describeError(new Special('no')).class, 'Special');
  const long = describeError(new Error('word '.repeat(10_000)));
  assert.equal(long.message.length, 500);
  const table: [unknown, string, string][] = [
    ['text', 'NonError', 'text'],
    [undefined, 'NonError', 'undefined'],
    [null, 'NonError', 'null'],
    [7, 'NonError', '7'],
    [
      Object.assign(new Error('no'), { name: 7, message: Object.create(null) as unknown }),
      '7',
      'unprintable',
    ],
  ];
  for (const [thrown, errorClass, message] of table) {
    const described = describeError(thrown);
    assert.deepEqual([described.class, described.message], [errorClass, message]);
  }
});

test('an object that cannot become text is described without an error', () => {
  for (const hostile of [
    Object.create(null),
    {
      toString: () => {
        throw new Error('no');
      },
    },
  ])
    assert.equal(describeError(hostile).class, 'NonError');
});
