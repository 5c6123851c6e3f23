/**
 * The slots of a schedule: the moments at which it is due, each with the calendar day that it belongs to. The timer, the
 * displayed next time and the missed slots are all computed here.
 *
 * The schedule is read as times of a clock that never jumps (UTC), and `firstInstantOf` then finds each time on the clock of
 * the time zone. Libraries that do both at once lose days where an offset changes (measured in adr/15).
 */
import { Cron } from 'croner';
import { Temporal } from 'temporal-polyfill';

export interface Slot {
  /** When the slot is due. */
  readonly at: Date;
  /** The day that the schedule names, YYYY-MM-DD, even where the clock skipped its time over midnight. */
  readonly day: string;
}

/** The schedule cannot be used. The message is the reason alone, without variable and value. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
}

/** The parser also accepts a date, for a job that runs once; here a date is refused. */
const DATE = /^\s*\d{4}-\d\d/;
const SECOND_MS = 1_000;

/**
 * A cron schedule in a time zone. Each time that the schedule names is due once:
 * - where the clock skips it, at the first instant after the skipped interval;
 * - where the clock shows it twice, at the first of them;
 * - not at all where its whole local day does not exist (a zone that crosses the date line).
 *
 * Times that are skipped together share one slot. An hourly schedule has therefore no slot in an hour that the clock
 * repeats.
 */
export class Slots {
  readonly #pattern: Cron;
  readonly #timezone: string;

  /**
   * @param schedule five fields from the minute, six from the second, or an alias such as `@daily`.
   * @param timezone an IANA name.
   * @throws ScheduleError where the schedule cannot be read, or is never due.
   * @throws RangeError where there is no such time zone.
   */
  constructor(schedule: string, timezone: string) {
    this.#pattern = readPattern(schedule);
    this.#timezone = new Intl.DateTimeFormat('en', {
      timeZone: timezone,
    }).resolvedOptions().timeZone;
  }

  /** @returns the first slot later than `after`; undefined where the schedule has none. */
  next(after: Date): Slot | undefined {
    // A time that the clock has already shown is not later, so the search begins at the present time of the clock.
    let wallMs = this.#wallMs(after.getTime());
    for (;;) {
      const found = this.#pattern.nextRun(new Date(wallMs));
      if (found === null) return undefined;
      wallMs = found.getTime();
      const slot = this.#slotAt(wallMs);
      if (slot !== undefined && slot.at > after) return slot;
    }
  }

  /** @returns the last slot that is not later than `at`; undefined where the schedule has none. */
  last(at: Date): Slot | undefined {
    // The parser searches strictly before a second; the second that the clock shows now has to be included.
    let wallMs = Math.floor(this.#latestWallMs(at.getTime()) / SECOND_MS) * SECOND_MS + SECOND_MS;
    for (;;) {
      const [found] = this.#pattern.previousRuns(1, new Date(wallMs));
      if (found === undefined) return undefined;
      wallMs = found.getTime();
      const slot = this.#slotAt(wallMs);
      if (slot !== undefined && slot.at <= at) return slot;
    }
  }

  #slotAt(wallMs: number): Slot | undefined {
    const wall = atWall(wallMs);
    const at = firstInstantOf(wall, this.#timezone);
    return at === undefined ? undefined : { at: new Date(at), day: wall.toPlainDate().toString() };
  }

  /** @returns the time that the clock shows, read as if it were UTC. */
  #wallMs(atMs: number): number {
    return this.#zoned(atMs).toPlainDateTime().toZonedDateTime('UTC').epochMilliseconds;
  }

  /** @returns the latest time that the clock has shown until then; after the clock was set back it is later than now. */
  #latestWallMs(atMs: number): number {
    const change = this.#zoned(atMs).getTimeZoneTransition('previous');
    const shown = this.#wallMs(atMs);
    return change === null ? shown : Math.max(shown, this.#wallMs(change.epochMilliseconds - 1));
  }

  #zoned(atMs: number): Temporal.ZonedDateTime {
    return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(this.#timezone);
  }
}

/**
 * Applies the only rule for changes of the clock: a time is due at the first instant at which the clock shows that time or a
 * later one.
 * @returns milliseconds since 1970; undefined where the day of that time does not exist in the zone.
 */
function firstInstantOf(wall: Temporal.PlainDateTime, timezone: string): number | undefined {
  // For a time that is shown twice this is the first instant; for a skipped time it is an instant before the gap.
  const earlier = wall.toZonedDateTime(timezone, { disambiguation: 'earlier' });
  if (earlier.toPlainDateTime().equals(wall)) return earlier.epochMilliseconds;
  const gapEnd = earlier.getTimeZoneTransition('next');
  if (gapEnd === null) return undefined;
  const lastBefore = gapEnd.subtract({ nanoseconds: 1 });
  const isDaySkipped = [lastBefore, gapEnd].every(
    (shown) => !shown.toPlainDate().equals(wall.toPlainDate()),
  );
  return isDaySkipped ? undefined : gapEnd.epochMilliseconds;
}

function readPattern(schedule: string): Cron {
  const pattern = cronOf(schedule);
  if (pattern.nextRun() === null) throw new ScheduleError('it is never due');
  return pattern;
}

function cronOf(schedule: string): Cron {
  try {
    if (DATE.test(schedule)) throw new Error('a date is no schedule');
    return new Cron(schedule, { timezone: 'UTC', mode: '5-or-6-parts' });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ScheduleError(reason.replace(/^CronPattern: /, '').replace(/[.]$/, ''));
  }
}

function atWall(wallMs: number): Temporal.PlainDateTime {
  return Temporal.Instant.fromEpochMilliseconds(wallMs).toZonedDateTimeISO('UTC').toPlainDateTime();
}

/** The slots around a moment, as the daily trigger needs them. */
export interface SlotsAround {
  /** The last slot, where it is recent enough to be requested now. Earlier slots are never requested. */
  readonly due: Slot | undefined;
  /** The last slot, where it is too old to be requested. */
  readonly tooOld: Slot | undefined;
  /** Undefined where the schedule has no further slot. */
  readonly next: Slot | undefined;
}

/** @param catchUpMs the greatest age at which a slot is still requested, in milliseconds; with 0 no slot is. */
export function slotsAround(slots: Slots, now: Date, catchUpMs: number): SlotsAround {
  const last = slots.last(now);
  const isRecent =
    last !== undefined && catchUpMs > 0 && now.getTime() - last.at.getTime() <= catchUpMs;
  return {
    due: isRecent ? last : undefined,
    tooOld: isRecent ? undefined : last,
    next: slots.next(now),
  };
}
