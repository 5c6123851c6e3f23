/** Goal: the day of the time zone does not change during a test, whenever it begins. Method: every hour of a day. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noonTimezone } from '@fit/stack/testing';

test('at every hour it is noon in the returned time zone', () => {
  for (let hour = 0; hour < 24; hour += 1) {
    const now = new Date(Date.UTC(2026, 0, 5, hour, 59, 59));
    const timeZone = noonTimezone(now);
    const time = new Intl.DateTimeFormat('sv-SE', { timeZone, timeStyle: 'medium' }).format(now);
    assert.equal(time, '12:59:59', timeZone);
  }
});
