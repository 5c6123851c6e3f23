/**
 * Draws the Rx workout before scaling: format, setting and movements, the same for every level. A movement is taken only if it fits at
 * every level once scaled, so that one draw serves all levels and scaling cannot break a rule.
 */
import type { Format, Setting } from './format.ts';
import { FORMATS } from './format.ts';
import type { Movement } from './movement.ts';
import { setSeconds } from './movement.ts';
import type { MovementPool } from './movementPool.ts';
import type { Random } from './random.ts';
import type { Level } from './user.ts';
import { HIGH_SKILL_LEVEL, LEVELS } from './user.ts';

export interface WorkoutShape {
  readonly format: Format;
  readonly setting: Setting;
  readonly movementCount: number;
}

export interface DrawnMovements {
  readonly movements: readonly Movement[];
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
    const draw = drawMovements(random, pool, shape);
    if (draw.movements.length === shape.movementCount) return { ...draw, shape, fallback };
    fallback.push(`${format.id}: too few movements`);
  }
  throw new Error('No format found enough movements, which checkCatalogue rules out (W9)');
}

/** @returns fewer movements than the shape needs if the pool has no more that fit together. */
function drawMovements(random: Random, pool: MovementPool, shape: WorkoutShape): DrawnMovements {
  const movements: Movement[] = [];
  const passedOver: Record<string, number> = {};
  for (const movement of random.shuffled(pool.movements)) {
    if (movements.length === shape.movementCount) break;
    const cause = rejectionCause(movement);
    if (cause === undefined) movements.push(movement);
    else passedOver[cause] = (passedOver[cause] ?? 0) + 1;
  }
  return { movements, passedOver };

  function rejectionCause(movement: Movement): string | undefined {
    for (const level of LEVELS) {
      const scaled = pool.scaled(movement, level);
      if (!isSuitable(scaled, level, shape)) return `not for ${shape.format.id}`;
      const clash = clashOf(
        scaled,
        movements.map((chosen) => pool.scaled(chosen, level)),
      );
      if (clash !== undefined) return clash;
    }
    return undefined;
  }
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

function clashOf(movement: Movement, chosen: readonly Movement[]): string | undefined {
  const both = (holds: (one: Movement) => boolean): boolean =>
    holds(movement) && chosen.some(holds);
  if (both((one) => one.skillLevel >= HIGH_SKILL_LEVEL)) return 'W4 high-skill';
  if (both((one) => one.tags.includes('grip-heavy'))) return 'W4 grip-heavy';
  if (both((one) => one.modality === 'M')) return 'second cardio';
  if (chosen.some((other) => other.pattern === movement.pattern)) return 'same pattern';
  // With two loads on one barbell the athlete would change plates in every round.
  const reset = chosen.some((other) => other.equipment.some(isLoadedOn(movement)));
  return reset ? 'same implement' : undefined;
}

function isLoadedOn(movement: Movement): (item: Movement['equipment'][number]) => boolean {
  return (item) => movement.loadKg !== undefined && movement.equipment.includes(item);
}
