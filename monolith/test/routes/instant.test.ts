/** Goal: an instant that does not exist is refused and never moved to another one. Method: instants at the edges of the calendar. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '@fit/service';
import { instantOf } from '../../src/routes/instant.ts';

test('days, instants and instants of other zones are read', () => {
  for (const [text, instant] of [
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
    ['2026-12-01T03:04Z', '2026-12-01T03:04:00.000Z'],
    ['2026-12-31T23:30:00.5-02:00', '2027-01-01T01:30:00.500Z'],
    ['1970-01-01', '1970-01-01T00:00:00.000Z'],
  ] as const)
    assert.equal(instantOf('query.from', text).toISOString(), instant);
});

test('instants that do not exist, and those before 1970, are refused with their value', () => {
  for (const text of [
    '2026-02-30T00:00Z',
    '2026-02-29',
    '2026-13-01',
    '2026-12-01T25:00Z',
    '1969-12-31',
    '0000-00-00',
  ])
    assert.throws(
      () => instantOf('query.from', text),
      (error: unknown) =>
        error instanceof Problem && JSON.stringify(error.options).includes(`${text} is no instant`),
      text,
    );
});
