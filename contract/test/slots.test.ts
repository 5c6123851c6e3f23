/**
 * Goal: a schedule is due once on each local day, also where the clock changes, and `next` and `last` agree. Method: known
 * nights, then every zone around each change of its clock in five years, against a calendar that is made from Intl's offsets
 * alone. `npm run calendar` tries all days of these years.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { ScheduleError, type Slot, Slots } from '../src/slots.ts';
import { expectedAt, offsetSpans } from './support/localCalendar.ts';
import {
  daysAroundChanges,
  MIDNIGHT_SCHEDULES,
  NIGHT_SCHEDULES,
  readClocks,
  wrongSlots,
} from './support/tryCalendar.ts';

const CLOCKS = readClocks();

const slot = (at: string, day: string): Slot => ({ at: new Date(at), day });

/** @returns the next `count` slots after `from`. */
function nextSlots(slots: Slots, from: string, count: number): readonly (Slot | undefined)[] {
  const found: (Slot | undefined)[] = [];
  let after = new Date(from);
  for (let index = 0; index < count; index++) {
    const next = slots.next(after);
    found.push(next);
    after = next?.at ?? after;
  }
  return found;
}

test('a time that the clock skips is due right after the gap, and `last` returns it afterwards', () => {
  for (const { schedule, timezone, just, at, day } of [
    {
      schedule: '0 0 * * *',
      timezone: 'Africa/Cairo',
      just: '2027-04-29T21:59:45Z',
      at: '2027-04-29T22:00:00Z',
      day: '2027-04-30',
    },
    {
      schedule: '0 2 * * *',
      timezone: 'America/New_York',
      just: '2027-03-14T06:59:00Z',
      at: '2027-03-14T07:00:00Z',
      day: '2027-03-14',
    },
    {
      schedule: '30 2 * * *',
      timezone: 'Europe/Berlin',
      just: '2027-03-28T00:59:59.999Z',
      at: '2027-03-28T01:00:00Z',
      day: '2027-03-28',
    },
  ]) {
    const slots = new Slots(schedule, timezone);
    assert.deepEqual(slots.next(new Date(just)), slot(at, day), timezone);
    assert.deepEqual(slots.last(new Date(Date.parse(at) + 60_000)), slot(at, day), timezone);
    assert.notDeepEqual(slots.last(new Date(just)), slot(at, day), timezone);
  }
});

test('a time that the clock shows twice is due at the first of the two, and not again', () => {
  const slots = new Slots('30 2 * * *', 'Europe/Berlin');
  const first = slot('2026-10-25T00:30:00Z', '2026-10-25');
  assert.deepEqual(nextSlots(slots, '2026-10-24T12:00:00Z', 2), [
    first,
    slot('2026-10-26T01:30:00Z', '2026-10-26'),
  ]);
  // Between the two moments the clock shows a time before 02:30 again.
  assert.deepEqual(slots.last(new Date('2026-10-25T01:10:00Z')), first);
});

test('a day that a zone skips at the date line has no slot; the days before and after have one each', () => {
  assert.deepEqual(nextSlots(new Slots('0 5 * * *', 'Pacific/Apia'), '2011-12-29T00:00:00Z', 3), [
    slot('2011-12-29T15:00:00Z', '2011-12-29'),
    slot('2011-12-30T15:00:00Z', '2011-12-31'),
    slot('2011-12-31T15:00:00Z', '2012-01-01'),
  ]);
  assert.deepEqual(
    nextSlots(new Slots('0 0 * * *', 'Pacific/Kwajalein'), '1993-08-20T00:00:00Z', 3),
    [
      slot('1993-08-20T12:00:00Z', '1993-08-20'),
      slot('1993-08-21T12:00:00Z', '1993-08-22'),
      slot('1993-08-22T12:00:00Z', '1993-08-23'),
    ],
  );
});

test('a time that is skipped over midnight is due on the next day, and its slot has the day before', () => {
  // Greenland sets its clock from 23:00 to 24:00.
  assert.deepEqual(nextSlots(new Slots('30 23 * * *', 'America/Nuuk'), '2027-03-27T12:00:00Z', 2), [
    slot('2027-03-28T01:00:00Z', '2027-03-27'),
    slot('2027-03-29T00:30:00Z', '2027-03-28'),
  ]);
});

test('times that are skipped together are one slot, times within a repeated hour are due once', () => {
  const slots = new Slots('*/15 * * * *', 'Europe/Berlin');
  const shown = (from: string, count: number) =>
    nextSlots(slots, from, count).map((found) => found?.at.toISOString().slice(11, 16));
  assert.deepEqual(shown('2027-03-28T00:40:00Z', 3), ['00:45', '01:00', '01:15']);
  assert.deepEqual(shown('2026-10-25T00:40:00Z', 3), ['00:45', '02:00', '02:15']);
});

test('a rare schedule finds its slots years away, in both directions', () => {
  const slots = new Slots('0 5 29 2 *', 'UTC');
  const now = new Date('2026-11-29T00:00:00Z');
  assert.deepEqual(slots.next(now), slot('2028-02-29T05:00:00Z', '2028-02-29'));
  assert.deepEqual(slots.last(now), slot('2024-02-29T05:00:00Z', '2024-02-29'));
});

test('a schedule that cannot be used is refused with the reason', () => {
  for (const [schedule, reason] of [
    // Another parser accepts H as a random time, which would change at each start.
    ['H 5 * * *', /illegal characters/],
    ['', /five, six/],
    ['0 5', /five, six/],
    ['0 5 * * * * 2027', /7 parts/],
    ['0 24 * * *', /24/],
    ['0 0 30 2 *', /never due/],
    ['2027-01-01T05:00:00', /a date/],
    ['@reboot', /not supported/],
  ] as const)
    assert.throws(
      () => new Slots(schedule, 'UTC'),
      (error) => error instanceof ScheduleError && reason.test(error.message),
      schedule,
    );
  assert.throws(() => new Slots('0 5 * * *', 'Mars/Phobos'), RangeError);
  for (const schedule of ['@daily', '0 5 * * THU', '30 0 5 * * *', ' 0  5 * * * '])
    assert.ok(new Slots(schedule, 'UTC').next(new Date()), schedule);
});

test('around each change of a clock every schedule of the night has one slot for each local day', (t) => {
  const changes = CLOCKS.flatMap((clock) =>
    daysAroundChanges(clock).map((days) => ({ ...clock, days })),
  );
  t.diagnostic(`${CLOCKS.length} clocks, ${changes.length} changes of them`);
  assert.ok(changes.length > 200);
  const wrong = changes.flatMap(({ zones: [zone = ''], spans, days }) =>
    [...NIGHT_SCHEDULES, ...MIDNIGHT_SCHEDULES].flatMap((schedule) =>
      wrongSlots(zone, spans, schedule, days),
    ),
  );
  assert.deepEqual(wrong, []);
});

test('every zone that shares its clock with others has one slot for each local day as well', (t) => {
  const tried = CLOCKS.flatMap((clock) =>
    daysAroundChanges(clock).flatMap((days) =>
      clock.zones.slice(1).map((zone) => ({ zone, spans: clock.spans, days })),
    ),
  );
  t.diagnostic(`${tried.length} changes in the other zones, one schedule each`);
  const wrong = tried.flatMap(({ zone, spans, days }, index) =>
    wrongSlots(zone, spans, NIGHT_SCHEDULES[index % NIGHT_SCHEDULES.length]!, days),
  );
  assert.deepEqual(wrong, []);
});

test('property: at any moment the last slot is followed by the next one, with no slot between them', () => {
  const zones = Intl.supportedValuesOf('timeZone');
  const schedules = [
    ...NIGHT_SCHEDULES.map(({ expression }) => expression),
    '30 23 * * *',
    '0 */6 * * *',
    '0 5 * * 1',
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.constantFrom(...schedules),
      fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2031, 0, 1) }),
      (zone, schedule, atMs) => {
        const slots = new Slots(schedule, zone);
        const at = new Date(atMs);
        const last = slots.last(at)!;
        const next = slots.next(at)!;
        assert.ok(last.at <= at && next.at > at);
        assert.deepEqual(slots.next(last.at), next);
        assert.deepEqual(slots.last(next.at), next);
        assert.deepEqual(slots.last(new Date(next.at.getTime() - 1)), last);
      },
    ),
    { numRuns: 500 },
  );
});

test('the calendar of this test is right for well-known changes of the clock', () => {
  const spans = offsetSpans('Europe/Berlin', Date.UTC(2027, 0, 1), Date.UTC(2028, 0, 1));
  assert.deepEqual(
    spans.map(({ fromMs }) => new Date(fromMs).toISOString()),
    ['2027-01-01T00:00:00.000Z', '2027-03-28T01:00:00.000Z', '2027-10-31T01:00:00.000Z'],
  );
  const due = (wall: string) => new Date(expectedAt(spans, Date.parse(wall)) ?? NaN).toISOString();
  assert.equal(due('2027-03-28T02:30Z'), '2027-03-28T01:00:00.000Z');
  assert.equal(due('2027-10-31T02:30Z'), '2027-10-31T00:30:00.000Z');
  assert.equal(due('2027-10-31T03:00Z'), '2027-10-31T02:00:00.000Z');
  const apia = offsetSpans('Pacific/Apia', Date.UTC(2011, 11, 25), Date.UTC(2012, 0, 5));
  assert.equal(expectedAt(apia, Date.parse('2011-12-30T05:00Z')), undefined);
});

test('the time zone of the process does not change the slots', async () => {
  const script =
    "import('@fit/contract/slots').then(({ Slots }) => console.log(new Slots('0 2 * * *', 'Africa/Cairo').next(new Date('2027-04-29T21:59:45Z')).at.toISOString()))";
  for (const TZ of ['America/New_York', 'Pacific/Kiritimati']) {
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], {
      cwd: import.meta.dirname,
      env: { ...process.env, TZ },
    });
    assert.equal(stdout.trim(), '2027-04-29T23:00:00.000Z');
  }
});
