/** Goal: a valid traceparent is read; every other value is refused without an error. Method: the standard's examples, and broken variants. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTraceparent } from '@fit/jobs';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const GOOD = `00-${TRACE}-${SPAN}-01`;

test('a valid traceparent is read', () => {
  const parsed = parseTraceparent(GOOD);
  assert.deepEqual(parsed, { traceId: TRACE, spanId: SPAN, flags: 1 });
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-00`)?.flags, 0);
});

test('a later version is read as version 00, without unknown flags', () => {
  assert.deepEqual(parseTraceparent(`cc-${TRACE}-${SPAN}-ff-what-comes`), {
    traceId: TRACE,
    spanId: SPAN,
    flags: 1,
  });
});

const hostile: readonly [name: string, value: unknown][] = [
  ['nothing', undefined],
  ['empty', ''],
  ['a number', 17],
  ['an object', { toString: () => GOOD }],
  ['a list', [GOOD]],
  ['a buffer', Buffer.from(GOOD)],
  ['the forbidden version', `ff-${TRACE}-${SPAN}-01`],
  ['more fields than version 00 has', `${GOOD}-more`],
  ['zero trace', `00-${'0'.repeat(32)}-${SPAN}-01`],
  ['zero span', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['capitals', GOOD.toUpperCase()],
  ['too short', GOOD.slice(0, -1)],
  ['a line break at its end', `${GOOD}\n`],
  ['white space', ` ${GOOD}`],
  ['a megabyte', `cc-${TRACE}-${SPAN}-01-${'x'.repeat(1_000_000)}`],
  ['other letters', GOOD.replace('4bf9', 'z\u0000é9')],
];
for (const [name, value] of hostile)
  test(`${name} is no valid traceparent`, () => {
    assert.equal(parseTraceparent(value), undefined);
  });
