/**
 * The rules W1 to W10 of a workout, checked on the stored result and independently of how it was made. Only tests use them: the generator
 * keeps the rules by construction.
 */
import { FORMATS } from '../src/format.ts';
import type { Movement } from '../src/movement.ts';
import { setSeconds } from '../src/movement.ts';
import { CATALOGUE, MOVEMENT_BY_ID } from '../src/movementCatalogue.ts';
import { seedOf } from '../src/random.ts';
import type { User } from '../src/user.ts';
import { HIGH_SKILL_LEVEL, HIGHEST_SKILL_LEVEL, LOAD_SHARE } from '../src/user.ts';
import type { PrescribedMovement, Workout } from '../src/workout.ts';
import { timeDomainOf } from '../src/workout.ts';

export type Rule = 'W1' | 'W2' | 'W3' | 'W4' | 'W5' | 'W6' | 'W7' | 'W8' | 'W9' | 'W10';

export interface Finding {
  readonly rule: Rule;
  readonly message: string;
}

/** A prescribed movement with its record in the catalogue. */
interface Item {
  readonly set: PrescribedMovement;
  readonly movement: Movement;
}

type Check = (workout: Workout, items: readonly Item[], user: User) => readonly string[];

/**
 * @returns every violation; empty for a correct workout. An unknown movement violates W6 and is left out of the other checks.
 */
export function checkWorkout(workout: Workout, user: User): readonly Finding[] {
  const items = workout.movements.flatMap((set) => {
    const movement = MOVEMENT_BY_ID.get(set.id);
    return movement === undefined ? [] : [{ set, movement }];
  });
  return CHECKS.flatMap(([rule, check]) =>
    check(workout, items, user).map((message) => ({ rule, message })),
  );
}

const CHECKS: readonly (readonly [Rule, Check])[] = [
  ['W1', checkEquipment],
  ['W2', checkSkill],
  ['W3', checkTags],
  ['W4', checkHardPieces],
  ['W5', checkDuration],
  ['W6', checkWhole],
  ['W7', checkStimulus],
  ['W8', checkSeed],
  ['W9', (workout) => (workout.movements.length === 0 ? ['no movement'] : [])],
  ['W10', checkExplain],
];

function checkEquipment(_: Workout, items: readonly Item[], user: User): readonly string[] {
  return items.flatMap(({ movement }) =>
    movement.equipment
      .filter((item) => !user.equipment.includes(item))
      .map((item) => `${movement.id} needs ${item}`),
  );
}

function checkSkill(_: Workout, items: readonly Item[], user: User): readonly string[] {
  return items
    .filter(({ movement }) => movement.skillLevel > HIGHEST_SKILL_LEVEL[user.level])
    .map(({ movement }) => `${movement.id} is above ${user.level}`);
}

function checkTags(_: Workout, items: readonly Item[], user: User): readonly string[] {
  return items.flatMap(({ movement }) =>
    movement.tags
      .filter((tag) => user.exclusions?.includes(tag) === true)
      .map((tag) => `${movement.id} is ${tag}`),
  );
}

function checkHardPieces(_: Workout, items: readonly Item[]): readonly string[] {
  const hard = items.filter(({ movement }) => movement.skillLevel >= HIGH_SKILL_LEVEL);
  const grip = items.filter(({ movement }) => movement.tags.includes('grip-heavy'));
  return [
    ...(hard.length > 1 ? ['more than one high-skill movement'] : []),
    ...(grip.length > 1 ? ['more than one grip-heavy movement'] : []),
  ];
}

function checkWhole(workout: Workout, items: readonly Item[]): readonly string[] {
  const { target, stimulus, warmUp, coolDown } = workout;
  const stated: readonly (readonly [boolean, string])[] = [
    [items.length === workout.movements.length, 'a movement is not in the catalogue'],
    [[workout.title, workout.scheme, workout.scoreType].every(isText), 'no title, scheme, score'],
    [workout.capSeconds > 0, 'no cap'],
    [target.low > 0 && target.high >= target.low, 'no target range'],
    [isText(stimulus.intent), 'no stimulus'],
    [coolDown.length > 0, 'no cool-down'],
  ];
  const prepared = new Set(warmUp.flatMap((drill) => drill.patterns));
  return [
    ...stated.filter(([holds]) => !holds).map(([, message]) => message),
    ...items.flatMap(({ set, movement }) => [
      ...(set.amount > 0 && isText(set.unit) ? [] : [`${set.id}: no amount or unit`]),
      ...(movement.loadKg && !set.loadKg ? [`${set.id}: no load`] : []),
      ...(prepared.has(movement.pattern) ? [] : [`no warm-up for ${movement.pattern}`]),
    ]),
  ];
}

function isText(value: string): boolean {
  return value.length > 0;
}

function checkStimulus(workout: Workout, items: readonly Item[], user: User): readonly string[] {
  const share = LOAD_SHARE[user.level];
  const wrong = items.filter(({ set, movement }) => {
    const part = (set.loadKg ?? 0) / (movement.loadKg?.rx ?? Infinity);
    return movement.loadKg !== undefined && !(part >= share.least && part <= share.most);
  });
  const domain = timeDomainOf(workout.estimatedSeconds);
  return [
    ...wrong.map(({ set }) => `${set.id}: load is no share of Rx for ${user.level}`),
    ...(domain === workout.stimulus.timeDomain ? [] : [`${domain}, not as the stimulus says`]),
  ];
}

function checkSeed({ userId, date, version, explain }: Workout): readonly string[] {
  return explain.seed === seedOf(userId, date, version) ? [] : ['seed is of other inputs'];
}

function checkExplain({ explain }: Workout, items: readonly Item[]): readonly string[] {
  const { W1, W3 } = explain.excluded;
  const excluded = [...Object.values(W1), ...Object.values(W3)].reduce((sum, n) => sum + n, 0);
  const accounted = excluded + explain.pool === CATALOGUE.length;
  return [
    ...(isText(explain.reason) ? [] : ['no reason for the format']),
    ...(accounted ? [] : ['exclusions and pool do not add up to the catalogue']),
    ...(items.length <= explain.pool ? [] : ['more movements than the pool holds']),
  ];
}

/** Seconds of a minute that may be work (EMOM). */
const EMOM_WORK_SECONDS_MAX = 45;
/** Share of an interval that may be work, without the change of movement. */
const INTERVAL_WORK_SHARE_MAX = 0.75;

function checkDuration(workout: Workout, _items: unknown, user: User): readonly string[] {
  const { estimatedSeconds, capSeconds } = workout;
  const format = FORMATS.find(({ id }) => id === workout.format);
  if (format === undefined) return ['unknown format'];
  const { least, most } = format.boundSeconds;
  const works = workout.movements.map((set) => workSeconds(set, user));
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
  emom: (_, works) => works.every((work) => work <= EMOM_WORK_SECONDS_MAX),
  'for-time': ({ rounds = 0, estimatedSeconds, capSeconds }, works) =>
    sum(works) * rounds <= Math.min(estimatedSeconds, capSeconds),
  intervals: ({ everySeconds = 0 }, works) => sum(works) <= everySeconds * INTERVAL_WORK_SHARE_MAX,
  strength: ({ rounds = 0, estimatedSeconds }, works) => sum(works) * rounds < estimatedSeconds,
  tabata: ({ rounds, movements }) =>
    rounds === 8 && movements.every(({ amount, unit }) => amount === 20 && unit === 'seconds'),
};

/** Zero for an unknown movement, which W6 reports. */
function workSeconds({ id, amount }: Workout['movements'][number], { level }: User): number {
  const movement = MOVEMENT_BY_ID.get(id);
  return movement === undefined ? 0 : setSeconds(movement, amount, level);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
