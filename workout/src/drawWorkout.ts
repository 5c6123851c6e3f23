/**
 * Draws the Rx workout before scaling: format, setting and movements, the same for every level. A movement is taken only if it fits at
 * every level once scaled, so that one draw serves all levels and scaling cannot break a rule.
 */
import type { Format, Setting } from './format.ts';
import { FORMATS } from './format.ts';
import type { Movement } from './movement.ts';
import { setSeconds } from './movement.ts';
import type { MovementPool, PoolMovement } from './movementPool.ts';
import type { Random } from './random.ts';
import type { Level } from './user.ts';
import { HIGH_SKILL_LEVEL, LEVELS } from './user.ts';

export interface WorkoutShape {
  readonly format: Format;
  readonly setting: Setting;
  readonly movementCount: number;
}

export interface DrawnMovements {
  readonly movements: readonly PoolMovement[];
  /** The number of movements that were drawn and not taken, by cause. */
  readonly passedOver: Readonly<Record<string, number>>;
}

export interface DrawnWorkout extends DrawnMovements {
  readonly shape: WorkoutShape;
  /** Formats that were drawn before and found too few movements. */
  readonly fallback: readonly string[];
}

/** Takes the first format, in a random order, for which the pool has enough movements. */
export function drawWorkout(random: Random, pool: MovementPool): DrawnWorkout {
  const fallback: string[] = [];
  for (const format of random.shuffled(FORMATS)) {
    const shape: WorkoutShape = {
      format,
      setting: random.pick(format.settings),
      movementCount: random.pick(format.movementCounts),
    };
    const { movements, passedOver } = drawMovements(random, pool, shape);
    if (movements.length === shape.movementCount) return { movements, passedOver, shape, fallback };
    fallback.push(`${format.id}: too few movements`);
  }
  throw new Error('No format found enough movements, which checkCatalogue rules out (W9)');
}

/** @returns fewer movements than the shape needs if the pool has no more that fit together. */
function drawMovements(random: Random, pool: MovementPool, shape: WorkoutShape): DrawnMovements {
  const movements: PoolMovement[] = [];
  const passedOver: Record<string, number> = {};
  const rest = [...pool.movements];
  while (movements.length < shape.movementCount) {
    const movement = random.take(rest);
    if (movement === undefined) break;
    const cause = rejectionCause(movement, movements, shape);
    if (cause === undefined) movements.push(movement);
    else passedOver[cause] = (passedOver[cause] ?? 0) + 1;
  }
  return { movements, passedOver };
}

/** @returns why the movement cannot be taken beside the chosen ones; undefined if it can. */
function rejectionCause(
  { scaled }: PoolMovement,
  chosen: readonly PoolMovement[],
  shape: WorkoutShape,
): string | undefined {
  for (const level of LEVELS) {
    if (!isSuitable(scaled[level], level, shape)) return `not for ${shape.format.id}`;
    const clash = clashOf(scaled[level], chosen, level);
    if (clash !== undefined) return clash;
  }
  return undefined;
}

/** @returns whether the format accepts the movement and its smallest set fits the time of work. */
function isSuitable(movement: Movement, level: Level, { format, setting }: WorkoutShape): boolean {
  const fits = setSeconds(movement, movement.amount.least, level) <= setting.workSeconds;
  switch (format.accepts) {
    case 'lift':
      return movement.strength === true;
    case 'quick':
      return fits && movement.unit === 'reps' && movement.loadKg === undefined;
    case 'any':
      return fits;
  }
}

/** @returns the first of these causes that holds for one of the chosen movements. */
function clashOf(
  movement: Movement,
  chosen: readonly PoolMovement[],
  level: Level,
): string | undefined {
  let isSecondGrip = false;
  let isSecondCardio = false;
  let hasPattern = false;
  let hasImplement = false;
  for (const { scaled } of chosen) {
    const other = scaled[level];
    if (isHighSkill(movement) && isHighSkill(other)) return 'W4 high-skill';
    isSecondGrip ||= isGripHeavy(movement) && isGripHeavy(other);
    isSecondCardio ||= movement.modality === 'M' && other.modality === 'M';
    hasPattern ||= movement.pattern === other.pattern;
    // With two loads on one barbell the athlete would change plates in every round.
    hasImplement ||=
      movement.loadKg !== undefined &&
      other.equipment.some((item) => movement.equipment.includes(item));
  }
  if (isSecondGrip) return 'W4 grip-heavy';
  if (isSecondCardio) return 'second cardio';
  if (hasPattern) return 'same pattern';
  return hasImplement ? 'same implement' : undefined;
}

function isHighSkill(movement: Movement): boolean {
  return movement.skillLevel >= HIGH_SKILL_LEVEL;
}

function isGripHeavy(movement: Movement): boolean {
  return movement.tags.includes('grip-heavy');
}
