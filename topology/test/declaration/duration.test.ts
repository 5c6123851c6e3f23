/** Goal: durations are read as written, and formatted as short as possible. Method: table and property. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Duration, formatDuration, parseDuration, parseDurationMs } from '@fit/topology';
import fc from 'fast-check';

test('each unit, and bare milliseconds', () => {
  const table: [string | number, number][] = [
    ['200ms', 200],
    ['5s', 5_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['1.5s', 1_500],
    [' 5s ', 5_000],
    [750, 750],
  ];
  for (const [text, durationMs] of table) assert.equal(parseDurationMs(text), durationMs);
});

test('what is no duration is undefined, never zero', () => {
  for (const text of ['', 's', '5', '-5s', '5 s', '5w', '5sec', '1e3ms', '5s5s', 'ms5'])
    assert.equal(parseDurationMs(text), undefined, text);
});

test('text of somebody else becomes a duration, or an error that quotes it', () => {
  const durations: Duration[] = ['5s', ' 1.5h '].map(parseDuration);
  assert.deepEqual(durations, ['5s', '1.5h']);
  for (const text of ['', 'soon', '5'])
    assert.throws(() => parseDuration(text), {
      name: 'TypeError',
      message: new RegExp(`^'${text}' is no duration`),
    });
});

test('the shortest exact spelling', () => {
  assert.deepEqual(
    [120_000, 1_500, 7_200_000, 90_000, 1].map((durationMs) => formatDuration(durationMs)),
    ['2m', '1500ms', '2h', '90s', '1ms'],
  );
});

test('what is written is read back the same', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 32 - 1 }), (durationMs) => {
      assert.equal(parseDurationMs(formatDuration(durationMs)), durationMs);
    }),
  );
});
