/**
 * Goal: the last missed slot is requested while it is recent; an older one is never requested, and the timer waits for the
 * next slot. Method: moments around known slots.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slots, slotsAround } from '../src/slots.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

test('a daily slot is due until its age exceeds the window, to the millisecond, and then too old', () => {
  const slots = new Slots('0 5 * * *', 'UTC');
  const at = Date.parse('2026-11-29T05:00:00Z');
  const slot = { at: new Date(at), day: '2026-11-29' };
  const next = { at: new Date(at + DAY_MS), day: '2026-11-30' };
  for (const ageMs of [0, 1, HOUR_MS])
    assert.deepEqual(slotsAround(slots, new Date(at + ageMs), HOUR_MS), {
      due: slot,
      tooOld: undefined,
      next,
    });
  assert.deepEqual(slotsAround(slots, new Date(at + HOUR_MS + 1), HOUR_MS), {
    due: undefined,
    tooOld: slot,
    next,
  });
});

test('with a window of 0 nothing is due, not even at the slot itself', () => {
  const slots = new Slots('0 5 * * *', 'UTC');
  const { due, tooOld } = slotsAround(slots, new Date('2026-11-29T05:00:00Z'), 0);
  assert.equal(due, undefined);
  assert.equal(tooOld?.day, '2026-11-29');
});

test('slots of two years and of six days ago are too old for a window of a day', () => {
  const now = new Date('2026-11-29T12:00:00Z');
  const leapDay = slotsAround(new Slots('0 5 29 2 *', 'UTC'), now, DAY_MS);
  assert.deepEqual([leapDay.due, leapDay.tooOld?.day], [undefined, '2024-02-29']);
  const monday = slotsAround(new Slots('0 5 * * 1', 'UTC'), now, DAY_MS);
  assert.deepEqual([monday.due, monday.tooOld?.day], [undefined, '2026-11-23']);
});

test('of several missed slots only the last one is due', () => {
  const plan = slotsAround(
    new Slots('0 5 * * *', 'UTC'),
    new Date('2026-11-29T06:00:00Z'),
    7 * DAY_MS,
  );
  assert.deepEqual([plan.due?.day, plan.next?.day], ['2026-11-29', '2026-11-30']);
});

test('a slot that was missed in the night of a clock change is due', () => {
  const newYork = slotsAround(
    new Slots('0 2 * * *', 'America/New_York'),
    new Date('2027-03-14T07:01:00Z'),
    DAY_MS,
  );
  assert.equal(newYork.due?.day, '2027-03-14');
  const berlin = slotsAround(
    new Slots('30 2 * * *', 'Europe/Berlin'),
    new Date('2027-03-28T01:01:00Z'),
    DAY_MS,
  );
  assert.equal(berlin.due?.day, '2027-03-28');
});
