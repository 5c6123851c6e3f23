/** Goal: a queue keeps the bindings that it needs, and no other. Method: examples, then a property. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keysLike, matchesPattern, withoutCovered } from '../../src/declaration/keyPattern.ts';

test('a key that another one covers is left out; of those that cover each other the first one stays', () => {
  const table: [string[], string[]][] = [
    [['order.paid', 'order.*'], ['order.*']],
    [
      ['order.*', '*.paid'],
      ['order.*', '*.paid'],
    ],
    [['#', '#.#'], ['#']],
    [['#.#', '#', 'order.#'], ['#.#']],
    [['*.#', '#.*'], ['*.#']],
    // No message has an empty key, which # alone would match.
    [['*.#', '#.*', '#'], ['*.#']],
    [['a', 'a'], ['a']],
  ];
  for (const [keys, expected] of table) assert.deepEqual(withoutCovered(keys), expected);
});

test('property: what is left matches all that was given, and nothing of it is covered by the rest', () => {
  const word = fc.constantFrom('#', '*', 'a', 'b');
  const key = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join('.'));
  fc.assert(
    fc.property(fc.array(key, { minLength: 1, maxLength: 5 }), (keys) => {
      const left = withoutCovered(keys);
      for (const one of keys.flatMap(keysLike))
        assert.ok(
          left.some((pattern) => matchesPattern(pattern, one)),
          `${one} is lost`,
        );
      assert.deepEqual(withoutCovered(left), left);
    }),
  );
});
