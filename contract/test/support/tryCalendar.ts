/** Compares the slots of daily schedules with a calendar that is computed independently of them. */
import { Slots } from '../../src/slots.ts';
import { DAY_MS, expectedAt, type OffsetSpan, offsetSpans } from './localCalendar.ts';

export const FIRST_YEAR = 2026;
export const LAST_YEAR = 2030;
const FROM_MS = Date.UTC(FIRST_YEAR, 0, 1);
const TO_MS = Date.UTC(LAST_YEAR + 1, 0, 1);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Zones whose clocks show the same in all of these years, so that a test of one zone is valid for each. */
export interface Clock {
  readonly zones: readonly string[];
  readonly spans: readonly OffsetSpan[];
}

/** A daily schedule and its minute of the day. */
export interface DailySchedule {
  readonly expression: string;
  readonly minuteOfDay: number;
}

/** Every 15 minutes from 00:00 to 03:45, when most clocks are changed. */
export const NIGHT_SCHEDULES: readonly DailySchedule[] = quarters(0, 16);
/** Every 15 minutes from 23:00 to 23:45. Greenland skips this hour, so its slots are due on the next day. */
export const MIDNIGHT_SCHEDULES: readonly DailySchedule[] = quarters(92, 4);

function quarters(first: number, count: number): readonly DailySchedule[] {
  return Array.from({ length: count }, (_, index) => {
    const quarter = first + index;
    const expression = `${(quarter % 4) * 15} ${Math.floor(quarter / 4)} * * *`;
    return { expression, minuteOfDay: quarter * 15 };
  });
}

/** @returns every zone of the IANA database that Node knows, grouped by equal clocks. */
export function readClocks(): readonly Clock[] {
  const clocks = new Map<string, { zones: string[]; spans: readonly OffsetSpan[] }>();
  for (const zone of Intl.supportedValuesOf('timeZone')) {
    // The first local day may begin, and the last one end, up to 14 hours outside of the years in UTC.
    const spans = offsetSpans(zone, FROM_MS - 2 * DAY_MS, TO_MS + 2 * DAY_MS);
    const key = JSON.stringify(spans);
    const clock = clocks.get(key) ?? { zones: [], spans };
    clock.zones.push(zone);
    clocks.set(key, clock);
  }
  return [...clocks.values()];
}

/** @returns every local day of the years, as the UTC midnight of the same date. */
export function allDays(): readonly number[] {
  return Array.from({ length: (TO_MS - FROM_MS) / DAY_MS }, (_, index) => FROM_MS + index * DAY_MS);
}

/** @returns for each change of a clock its local day, the day before and the day after. */
export function daysAroundChanges({ spans }: Clock): readonly (readonly number[])[] {
  return spans.flatMap(({ fromMs, offsetMs }, index) => {
    const before = spans[index - 1]?.offsetMs;
    if (before === undefined) return [];
    const first = Math.floor((fromMs + Math.min(before, offsetMs)) / DAY_MS) - 1;
    const last = Math.floor((fromMs + Math.max(before, offsetMs)) / DAY_MS) + 1;
    return [Array.from({ length: last - first + 1 }, (_, day) => (first + day) * DAY_MS)];
  });
}

/**
 * Compares consecutive days with the calendar: `next` from slot to slot, and `last` at each slot and just before it.
 * @returns one line for each difference; empty where there is none.
 */
export function wrongSlots(
  zone: string,
  spans: readonly OffsetSpan[],
  { expression, minuteOfDay }: DailySchedule,
  days: readonly number[],
): readonly string[] {
  const expected = days.flatMap((dayMs) => {
    const atMs = expectedAt(spans, dayMs + minuteOfDay * MINUTE_MS);
    return atMs === undefined ? [] : [{ atMs, day: new Date(dayMs).toISOString().slice(0, 10) }];
  });
  const first = expected[0];
  if (first === undefined) return [`${zone} '${expression}': no day is expected to have a slot`];
  const slots = new Slots(expression, zone);
  const wrong: string[] = [];
  let after = new Date(first.atMs - HOUR_MS);
  for (const [index, { atMs, day }] of expected.entries()) {
    const addDifference = (what: string, seen: unknown) =>
      wrong.push(
        `${zone} '${expression}' ${day}: ${what} ${JSON.stringify(seen)}, not ${new Date(atMs).toISOString()}`,
      );
    const next = slots.next(after);
    if (next?.at.getTime() !== atMs || next.day !== day) addDifference('next', next);
    const last = slots.last(new Date(atMs));
    if (last?.at.getTime() !== atMs || last.day !== day) addDifference('last at it', last);
    const before = slots.last(new Date(atMs - 1));
    const previous = expected[index - 1];
    if (previous !== undefined && before?.at.getTime() !== previous.atMs)
      addDifference('last before', before);
    after = new Date(atMs);
  }
  return wrong;
}
