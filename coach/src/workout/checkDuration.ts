/** Rule W5 on a stored workout: the estimate fits the cap, and the format keeps its bounds. */
import { MOVEMENT_BY_ID } from './catalogue.ts';
import { FORMATS } from './format.ts';
import type { Member } from './member.ts';
import { setSeconds } from './movement.ts';
import type { Workout } from './workout.ts';

/** Seconds of a minute that may be work (EMOM). Source: design page on workouts, section 3. */
const MOST_MINUTE_SECONDS = 45;
/** Share of an interval window that may be work, change-over apart. */
const MOST_WINDOW_SHARE = 0.75;

export function checkDuration(
  workout: Workout,
  _items: unknown,
  member: Member,
): readonly string[] {
  const { estimatedSeconds, capSeconds } = workout;
  const format = FORMATS.find(({ id }) => id === workout.format);
  if (format === undefined) return ['unknown format'];
  const { least, most } = format.boundSeconds;
  const works = workout.movements.map((set) => workSeconds(set, member));
  const holds: readonly (readonly [boolean, string])[] = [
    [estimatedSeconds <= capSeconds, 'the estimate is above the cap'],
    [estimatedSeconds >= least && capSeconds <= most, `outside the bounds of ${format.id}`],
    [format.movementCounts.includes(works.length), `too few or many for ${format.id}`],
    [FITS[workout.format](workout, works), `the work does not fit ${format.id}`],
  ];
  return holds.filter(([held]) => !held).map(([, message]) => message);
}

type Fit = (workout: Workout, works: readonly number[]) => boolean;

const FITS: Readonly<Record<Workout['format'], Fit>> = {
  // One round at least, or there is nothing to score.
  amrap: ({ capSeconds }, works) => sum(works) <= capSeconds,
  emom: (_, works) => works.every((work) => work <= MOST_MINUTE_SECONDS),
  'for-time': ({ rounds = 0, estimatedSeconds, capSeconds }, works) =>
    sum(works) * rounds <= Math.min(estimatedSeconds, capSeconds),
  intervals: ({ everySeconds = 0 }, works) => sum(works) <= everySeconds * MOST_WINDOW_SHARE,
  strength: ({ rounds = 0, estimatedSeconds }, works) => sum(works) * rounds < estimatedSeconds,
  tabata: ({ rounds, movements }) =>
    rounds === 8 && movements.every(({ amount, unit }) => amount === 20 && unit === 'seconds'),
};

/** Zero for an unknown movement, which W6 reports. */
function workSeconds({ id, amount }: Workout['movements'][number], { level }: Member): number {
  const movement = MOVEMENT_BY_ID.get(id);
  return movement === undefined ? 0 : setSeconds(movement, amount, level);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
