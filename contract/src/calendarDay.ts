/** Days of the calendar as text, YYYY-MM-DD. */
import Type from 'typebox';

/** The form of a day; `isCalendarDay` checks that the day exists. */
export const DateText = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$', maxLength: 10 });

/** @returns whether the calendar has this day; false for 2026-02-30. */
export function isCalendarDay(date: string): boolean {
  const parsed = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().slice(0, 10) === date;
}

/** @returns the day in a time zone: 00:30 in Berlin belongs to Berlin's day, whatever the day is in UTC. */
export function dayIn(timezone: string, at: Date): string {
  // Sweden writes dates as ISO 8601 does.
  return new Intl.DateTimeFormat('sv-SE', { timeZone: timezone }).format(at);
}
