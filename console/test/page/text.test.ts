/** Goal: numbers read as people say them, and never better than they are. Method: the pure functions. */
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

test('durations in their two largest units', () => {
  const texts = [0, 45.4, 60, 200, 3_600, 7_500, 90_000].map(durationText);
  assert.deepEqual(texts, ['0 s', '45 s', '1 min', '3 min 20 s', '1 h', '2 h 5 min', '1 d 1 h']);
  assert.equal(durationText(-3), '0 s', 'a clock that is ahead');
});

test('what is not known is said, and is no zero', () => {
  assert.deepEqual(
    [countText(null), durationText(null), rateText(null)],
    Array(3).fill('not known'),
  );
});

test('a share is rounded down: 9,999 of 10,000 is not everyone', () => {
  assert.deepEqual(
    [percentText(0.9999), percentText(1), percentText(1.1)],
    ['99.9 %', '100 %', '110 %'],
  );
});

test('parts, the most first, without those that are none', () => {
  assert.equal(partsText({ dead: 1, waiting: 3, running: 0 }), 'waiting 3, dead 1');
});

test('the verdict is plain, and only everyone is good news', () => {
  const today = { served: 98, total: 100, run: { isForEveryone: true } };
  const say = (verdict: string, rest = {}) =>
    verdictText({ ...today, verdict, ...rest } as Parameters<typeof verdictText>[0]);
  assert.deepEqual(say('incomplete'), { text: '98 of 100 served, 2 are missing', tone: 'bad' });
  assert.equal(say('served', { served: 100 }).text, 'Everyone is served: 100 of 100 served');
  const good = ['served', 'running', 'incomplete', 'none', 'unknown'].filter(
    (verdict) => say(verdict).tone === 'good',
  );
  assert.deepEqual(good, ['served']);
});

test('while a run is being recorded, those that are recorded are not all there is', () => {
  const today = { verdict: 'running', served: 5, total: 5 };
  const run = { state: 'accepting', isForEveryone: true };
  assert.deepEqual(verdictText({ ...today, run } as Parameters<typeof verdictText>[0]), {
    text: '5 of 5 served, the run is still being recorded',
    tone: '',
  });
});

test('a run for some serves nobody else: it says so, and is never good news', () => {
  const say = (verdict: string, served: number, total: number) =>
    verdictText({ verdict, served, total, run: { isForEveryone: false } } as Parameters<
      typeof verdictText
    >[0]);
  assert.deepEqual(
    [say('served', 1, 1), say('running', 0, 2), say('incomplete', 1, 2)],
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
