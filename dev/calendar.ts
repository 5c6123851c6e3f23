/**
 * `npm run calendar` compares the slots of every schedule of the night with a calendar, on every local day of five years, in
 * every time zone. Zones with equal clocks are tried once. The exit code is 1 if a slot differs from the calendar.
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
writeLine(
  `${zoneCount} zones with ${clocks.length} different clocks, ${SCHEDULES.length} schedules, ` +
    `${days.length} days from ${FIRST_YEAR} to ${LAST_YEAR}; this takes some minutes`,
);

let wrongCount = 0;
for (const [index, { zones, spans }] of clocks.entries()) {
  const [zone = ''] = zones;
  const wrong = SCHEDULES.flatMap((schedule) => wrongSlots(zone, spans, schedule, days));
  wrongCount += wrong.length;
  for (const line of wrong.slice(0, SHOWN_COUNT)) writeLine(`  ${line}`);
  writeLine(
    `${index + 1} of ${clocks.length}: ${zone}, shared by ${zones.length}: ${wrong.length} wrong`,
  );
}
writeLine(wrongCount === 0 ? 'every slot is right' : `${wrongCount} slots are wrong`);
process.exitCode = wrongCount === 0 ? 0 : 1;

function writeLine(line: string): void {
  process.stdout.write(`${line}\n`);
}
