/** Goal: every input has a bound, and the bound is that of the largest valid input. Method: schemas with a bound and without. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineRoute } from '@fit/service';
import Type, { type TSchema } from 'typebox';
import { schemaBounds } from '../../src/route/schemaBounds.ts';

const strict = { additionalProperties: false };

const UNBOUNDED: readonly (readonly [name: string, schema: TSchema, message: RegExp])[] = [
  ['a string', Type.String(), /^x is a string without maxLength/],
  ['a string with a pattern only', Type.String({ pattern: '^a{1,9}$' }), /without maxLength/],
  ['an array', Type.Array(Type.Integer()), /^x is an array without maxItems/],
  [
    'an array of strings',
    Type.Array(Type.String(), { maxItems: 2 }),
    /^x\[\] is a string without maxLength/,
  ],
  [
    'uniqueItems',
    Type.Array(Type.Integer(), { maxItems: 2, uniqueItems: true }),
    /^x has uniqueItems/,
  ],
  ['an open object', Type.Object({ a: Type.Integer() }), /^x is an object without additional/],
  ['a record', Type.Record(Type.String(), Type.Integer()), /^x is an object without additional/],
  ['unknown', Type.Object({ a: Type.Unknown() }, strict), /^x\.a has no type/],
  [
    'a choice with one of them',
    Type.Object({ a: Type.Union([Type.Null(), Type.String()]) }, strict),
    /^x\.a is a string/,
  ],
];
for (const [name, schema, message] of UNBOUNDED)
  test(`${name} without a bound is refused, and the error names its place`, () => {
    assert.throws(() => schemaBounds(schema, 'x'), { message });
  });

test('a route with an input that has no bound is refused when it is declared', () => {
  const route = {
    method: 'post',
    paths: ['/x'],
    access: 'open',
    summary: 'A route of this test',
    tag: 'Test',
    reply: Type.Null(),
    audit: { none: 'A route of this test.' },
  } as const;
  const handle = () => Promise.resolve({ body: null });
  const open = Type.Object({ name: Type.String() }, strict);
  assert.throws(() => defineRoute({ ...route, body: open, handle }), /POST \/x body\.name/);
  assert.throws(() => defineRoute({ ...route, query: open, handle }), /POST \/x query\.name/);
  assert.throws(() => defineRoute({ ...route, params: open, handle }), /POST \/x path\.name/);
  assert.equal(defineRoute({ ...route, handle }).bodyLimitBytes, 0);
});

test('depth, elements and bytes are those of the largest valid value, escaped and indented', () => {
  const schema = Type.Object(
    {
      name: Type.String({ maxLength: 5 }),
      levels: Type.Array(Type.Enum(['low', 'high']), { maxItems: 3 }),
      at: Type.Object({ x: Type.Optional(Type.Number()), isSure: Type.Boolean() }, strict),
    },
    strict,
  );
  const { bytes, depth, elements } = schemaBounds(schema, 'x');
  assert.deepEqual([depth, elements], [2, 8]);
  const largest = {
    name: '\u{1F3CB}'.repeat(5),
    levels: ['high', 'high', 'high'],
    at: { x: -Number.MAX_VALUE, isSure: false },
  };
  const escaped = JSON.stringify(largest, null, 4).replaceAll(
    /[\u0080-\uFFFF]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16)}`,
  );
  assert.ok(Buffer.byteLength(escaped) <= bytes, `${Buffer.byteLength(escaped)} of ${bytes}`);
  assert.ok(
    bytes < 3 * Buffer.byteLength(escaped),
    `${bytes} is more than three times the largest value`,
  );
});
