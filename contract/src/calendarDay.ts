/** Days of the calendar, as text: YYYY-MM-DD. */

/** @returns false for 2026-02-30. */
export function isCalendarDay(date: string): boolean {
  const parsed = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().slice(0, 10) === date;
}

/** @returns the day in a time zone: a slot at 00:30 in Berlin is for Berlin's day. Swedish dates are ISO dates. */
export function dayIn(timezone: string, at: Date): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: timezone }).format(at);
}
