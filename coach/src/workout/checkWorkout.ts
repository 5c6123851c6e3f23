/** The rules W1–W10 as findings on one stored workout, apart from how it was made. */
import { CATALOGUE, MOVEMENT_BY_ID } from './catalogue.ts';
import { checkDuration } from './checkDuration.ts';
import { HIGH_SKILL_TIER, HIGHEST_TIER, LOAD_SHARE } from './level.ts';
import type { Member } from './member.ts';
import type { Movement } from './movement.ts';
import { seedOf } from './random.ts';
import { timeDomain } from './timeDomain.ts';
import type { PrescribedMovement, Workout } from './workout.ts';

export type Rule = 'W1' | 'W2' | 'W3' | 'W4' | 'W5' | 'W6' | 'W7' | 'W8' | 'W9' | 'W10';

export interface Finding {
  readonly rule: Rule;
  readonly message: string;
}

/** One movement as set, beside its catalogue record. */
interface Item {
  readonly set: PrescribedMovement;
  readonly movement: Movement;
}

type Check = (workout: Workout, items: readonly Item[], member: Member) => readonly string[];

/**
 * Lists every breach; empty is a sound workout. A movement that the catalogue does not know is a
 * breach of W6 and takes part in no further check.
 */
export function checkWorkout(workout: Workout, member: Member): readonly Finding[] {
  const items = workout.movements.flatMap((set) => {
    const movement = MOVEMENT_BY_ID.get(set.id);
    return movement === undefined ? [] : [{ set, movement }];
  });
  return CHECKS.flatMap(([rule, check]) =>
    check(workout, items, member).map((message) => ({ rule, message })),
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

function checkEquipment(_: Workout, items: readonly Item[], member: Member): readonly string[] {
  return items.flatMap(({ movement }) =>
    movement.equipment
      .filter((item) => !member.equipment.includes(item))
      .map((item) => `${movement.id} needs ${item}`),
  );
}

function checkSkill(_: Workout, items: readonly Item[], member: Member): readonly string[] {
  return items
    .filter(({ movement }) => movement.skillTier > HIGHEST_TIER[member.level])
    .map(({ movement }) => `${movement.id} is above ${member.level}`);
}

function checkTags(_: Workout, items: readonly Item[], member: Member): readonly string[] {
  return items.flatMap(({ movement }) =>
    movement.tags
      .filter((tag) => member.exclusions?.includes(tag) === true)
      .map((tag) => `${movement.id} is ${tag}`),
  );
}

function checkHardPieces(_: Workout, items: readonly Item[]): readonly string[] {
  const hard = items.filter(({ movement }) => movement.skillTier >= HIGH_SKILL_TIER);
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

function checkStimulus(
  workout: Workout,
  items: readonly Item[],
  member: Member,
): readonly string[] {
  const share = LOAD_SHARE[member.level];
  const wrong = items.filter(({ set, movement }) => {
    const part = (set.loadKg ?? 0) / (movement.loadKg?.rx ?? Infinity);
    return movement.loadKg !== undefined && !(part >= share.least && part <= share.most);
  });
  const domain = timeDomain(workout.estimatedSeconds);
  return [
    ...wrong.map(({ set }) => `${set.id}: load is no share of Rx for ${member.level}`),
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
