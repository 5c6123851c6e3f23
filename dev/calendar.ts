/**
 * `npm run calendar`: every schedule of the night on every local day of five years, in every time zone. Zones whose clocks
 * show the same in all of that time are tried once. Exit code 1 if a slot differs from the calendar.
 */
import {
  allDays,
  FIRST_YEAR,
  LAST_YEAR,
  MIDNIGHT_SCHEDULES,
  NIGHT_SCHEDULES,
  readClocks,
  wrongSlots,
} from '../contract/test/support/tryCalendar.ts';

const SHOWN_COUNT = 20;
const SCHEDULES = [...NIGHT_SCHEDULES, ...MIDNIGHT_SCHEDULES];

const clocks = readClocks();
const zoneCount = clocks.reduce((sum, { zones }) => sum + zones.length, 0);
const days = allDays();
say(
  `${zoneCount} zones with ${clocks.length} different clocks, ${SCHEDULES.length} schedules, ` +
    `${days.length} days from ${FIRST_YEAR} to ${LAST_YEAR}; this takes some minutes`,
);

let wrongCount = 0;
for (const [index, { zones, spans }] of clocks.entries()) {
  const [zone = ''] = zones;
  const wrong = SCHEDULES.flatMap((schedule) => wrongSlots(zone, spans, schedule, days));
  wrongCount += wrong.length;
  for (const line of wrong.slice(0, SHOWN_COUNT)) say(`  ${line}`);
  say(
    `${index + 1} of ${clocks.length}: ${zone}, shared by ${zones.length}: ${wrong.length} wrong`,
  );
}
say(wrongCount === 0 ? 'every slot is right' : `${wrongCount} slots are wrong`);
process.exitCode = wrongCount === 0 ? 0 : 1;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
