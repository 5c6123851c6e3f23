/** Goal: texts are short and exact, and never rounded to a better value. Method: calls without I/O. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  countText,
  durationText,
  partsText,
  percentText,
  rateText,
  verdictText,
} from '../../src/page/text.js';

test('a duration has its two largest units', () => {
  const texts = [0, 45.4, 60, 200, 3_600, 7_500, 90_000].map(durationText);
  assert.deepEqual(texts, ['0 s', '45 s', '1 min', '3 min 20 s', '1 h', '2 h 5 min', '1 d 1 h']);
  assert.equal(durationText(-3), '0 s', 'a clock that runs ahead');
});

test('an unknown value is not shown as zero', () => {
  assert.deepEqual(
    [countText(null), durationText(null), rateText(null)],
    Array(3).fill('not known'),
  );
});

test('a share is rounded down, so 9,999 of 10,000 is not 100 %', () => {
  assert.deepEqual(
    [percentText(0.9999), percentText(1), percentText(1.1)],
    ['99.9 %', '100 %', '110 %'],
  );
});

test('counts are sorted, and those of zero left out', () => {
  assert.equal(partsText({ dead: 1, waiting: 3, running: 0 }), 'waiting 3, dead 1');
});

test('only a day on which everyone is served has the tone good', () => {
  const today = { served: 98, total: 100, run: { isForEveryone: true } };
  const verdictFor = (verdict: string, rest = {}) =>
    verdictText({ ...today, verdict, ...rest } as Parameters<typeof verdictText>[0]);
  assert.deepEqual(verdictFor('incomplete'), {
    text: '98 of 100 served, 2 are missing',
    tone: 'bad',
  });
  assert.equal(verdictFor('served', { served: 100 }).text, 'Everyone is served: 100 of 100 served');
  const good = ['served', 'running', 'incomplete', 'none', 'unknown'].filter(
    (verdict) => verdictFor(verdict).tone === 'good',
  );
  assert.deepEqual(good, ['served']);
});

test('while a run is being recorded, the text says how far, also before its users are counted', () => {
  const textOf = (total: number | undefined, expanded: number) => {
    const run = { state: 'accepting', isForEveryone: true, total, expanded };
    const today = { verdict: 'running', served: 5, total: total ?? expanded, run };
    return verdictText(today as Parameters<typeof verdictText>[0]);
  };
  assert.deepEqual(textOf(5_000, 2_000), {
    text: '5 of 5,000 served, 2,000 of 5,000 recorded so far',
    tone: '',
  });
  assert.equal(textOf(undefined, 2_000).text, '5 of 2,000 served, 2,000 recorded so far');
  assert.equal(textOf(1_999, 2_000).text, '5 of 1,999 served, 2,000 of 2,000 recorded so far');
});

test('a run for some users says so, and never has the tone good', () => {
  const verdictFor = (verdict: string, served: number, total: number) =>
    verdictText({ verdict, served, total, run: { isForEveryone: false } } as Parameters<
      typeof verdictText
    >[0]);
  assert.deepEqual(
    [verdictFor('served', 1, 1), verdictFor('running', 0, 2), verdictFor('incomplete', 1, 2)],
    [
      { text: '1 of 1 asked for is served; no run for everyone yet', tone: 'warn' },
      {
        text: '0 of 2 asked for are served, the run goes on; no run for everyone yet',
        tone: 'warn',
      },
      { text: '1 of 2 asked for are served, 1 are missing; no run for everyone yet', tone: 'bad' },
    ],
  );
});
