/** Goal: deep or large JSON is refused before a schema sees it, in bounded time. Method: parsed texts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonFault } from '@fit/jobs';

const bounds = { depth: 3, elements: 5 };

test('JSON within the bounds has no fault', () => {
  for (const text of [
    'null',
    '7',
    '"x"',
    '[]',
    '{}',
    '[[[]]]',
    '{"a":{"b":{"c":1}}}',
    '[1,2,3,4,5]',
  ])
    assert.equal(jsonFault(JSON.parse(text), bounds), undefined, text);
});

test('one level too deep is a fault, in arrays and objects', () => {
  for (const text of ['[[[[]]]]', '{"a":{"b":{"c":{}}}}', '[{"a":[{}]}]'])
    assert.equal(jsonFault(JSON.parse(text), bounds), 'is nested more than 3 deep', text);
});

test('one element too many is a fault at any depth', () => {
  for (const text of ['[1,2,3,4,5,6]', '[[1,2],[3,4]]', '{"a":1,"b":[1,2],"c":{"d":1}}'])
    assert.equal(jsonFault(JSON.parse(text), bounds), 'has more than 5 elements', text);
});

test('100,000 levels do not exhaust the stack, and the key __proto__ counts as a key', () => {
  const deep: unknown = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
  assert.equal(jsonFault(deep, { depth: 1_000_000, elements: 1_000_000 }), undefined);
  assert.equal(jsonFault(deep, bounds), 'is nested more than 3 deep');
  const hidden: unknown = JSON.parse('{"__proto__":{"a":{"b":{"c":{}}}}}');
  assert.equal(jsonFault(hidden, bounds), 'is nested more than 3 deep');
});
