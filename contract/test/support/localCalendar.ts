/**
 * What the clock of a time zone shows, computed from Intl alone. The parser of schedules and Temporal are not used, so that
 * their mistakes cannot be in the expected values as well.
 */
export const DAY_MS = 86_400_000;
const SECOND_MS = 1_000;

/** A clock differs from UTC by `offsetMs` from the instant `fromMs` on. */
export interface OffsetSpan {
  readonly fromMs: number;
  readonly offsetMs: number;
}

/**
 * @returns the offsets of a zone from `fromMs` to `toMs`. Two changes within one day that cancel each other are not found; the
 * zone database has none in the tested years.
 */
export function offsetSpans(zone: string, fromMs: number, toMs: number): readonly OffsetSpan[] {
  const offsetAt = offsetReader(zone);
  const spans: OffsetSpan[] = [{ fromMs, offsetMs: offsetAt(fromMs) }];
  for (let dayMs = fromMs; dayMs < toMs; dayMs += DAY_MS) {
    const before = spans.at(-1)?.offsetMs;
    const offsetMs = offsetAt(dayMs + DAY_MS);
    if (offsetMs === before) continue;
    let [lowMs, highMs] = [dayMs, dayMs + DAY_MS];
    while (highMs - lowMs > SECOND_MS) {
      const middleMs = Math.floor((lowMs + highMs) / (2 * SECOND_MS)) * SECOND_MS;
      if (offsetAt(middleMs) === before) lowMs = middleMs;
      else highMs = middleMs;
    }
    spans.push({ fromMs: highMs, offsetMs });
  }
  return spans;
}

/**
 * When a local time is due: at the first instant that shows it, or, where the clock skips it, right after the gap.
 * @param wallMs a local time, as if it were UTC.
 * @returns undefined where the clock skips the whole local day.
 */
export function expectedAt(spans: readonly OffsetSpan[], wallMs: number): number | undefined {
  for (const [index, { fromMs, offsetMs }] of spans.entries()) {
    const before = spans[index - 1]?.offsetMs;
    if (before !== undefined && wallMs >= fromMs + before && wallMs < fromMs + offsetMs)
      return isDaySkipped(wallMs, fromMs + before, fromMs + offsetMs) ? undefined : fromMs;
    const endMs = spans[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    const atMs = wallMs - offsetMs;
    if ((index === 0 || atMs >= fromMs) && atMs < endMs) return atMs;
  }
  return undefined;
}

/** @returns whether the gap begins at or before the day's first moment and ends at or after its last. */
function isDaySkipped(wallMs: number, gapFromMs: number, gapToMs: number): boolean {
  const dayMs = Math.floor(wallMs / DAY_MS) * DAY_MS;
  return gapFromMs <= dayMs && gapToMs >= dayMs + DAY_MS;
}

function offsetReader(zone: string): (atMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (atMs) => {
    const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = format
      .format(atMs)
      .split(/\D+/)
      .map(Number);
    return Date.UTC(year, month - 1, day, hour, minute, second) - atMs;
  };
}
