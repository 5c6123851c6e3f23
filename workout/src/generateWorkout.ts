/** Makes the workout of the day: a pure function of user, date and version. */

import type { DrawnWorkout, WorkoutShape } from './drawWorkout.ts';
import { drawWorkout } from './drawWorkout.ts';
import { coolDown, warmUp } from './drills.ts';
import { FORMATS } from './format.ts';
import type { Movement } from './movement.ts';
import { CATALOGUE } from './movementCatalogue.ts';
import type { MovementPool } from './movementPool.ts';
import { movementPool } from './movementPool.ts';
import { createRandom, seedOf } from './random.ts';
import type { Level, User } from './user.ts';
import type { Volume } from './volume.ts';
import { volumeOf } from './volume.ts';
import type { Explain, PrescribedMovement, Stimulus, Workout } from './workout.ts';
import { timeDomainOf } from './workout.ts';

/** The version of generator and catalogue. Any change that alters a workout must raise it. */
export const GENERATOR_VERSION = 1;

/**
 * Draws the Rx workout from the movements open to the user, then scales movements, loads and volume to the user's level.
 * @param date YYYY-MM-DD; no clock is read.
 * @returns plain JSON; equal inputs give equal bytes.
 * @throws RangeError if the date is not a calendar day or the user id is empty.
 */
export function generateWorkout(user: User, date: string): Workout {
  assertInputs(user.userId, date);
  const seed = seedOf(user.userId, date, GENERATOR_VERSION);
  const pool = movementPool(user);
  const drawn = drawWorkout(createRandom(seed), pool);
  const movements = drawn.movements.map((movement) => pool.scaled(movement, user.level));
  const { shape, volume, fallback } = volumeWithFallback(drawn, movements, user.level);
  const patterns = movements.map((movement) => movement.pattern);
  const { sets, scheme, ...timing } = volume;
  return {
    version: GENERATOR_VERSION,
    userId: user.userId,
    date,
    format: shape.format.id,
    title: titleOf(shape, volume, movements),
    scheme,
    scoreType: shape.format.scoreType,
    ...timing,
    stimulus: stimulusOf(shape, volume, movements),
    warmUp: warmUp(patterns),
    movements: movements.map((movement, index) => prescribe(movement, user.level, sets[index])),
    coolDown: coolDown(patterns),
    explain: explainOf({ ...drawn, shape, fallback }, pool, { seed, level: user.level }),
  };
}

function assertInputs(userId: string, date: string): void {
  if (userId === '') throw new RangeError('userId is empty');
  const day = new Date(`${date}T00:00:00Z`);
  const real = !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === date;
  if (!real) throw new RangeError(`date is not a day as YYYY-MM-DD: ${date}`);
}

/** If no number of rounds fits the time domain, the same movements become an AMRAP. */
function volumeWithFallback(
  { shape, fallback }: DrawnWorkout,
  movements: readonly Movement[],
  level: Level,
): Readonly<{ shape: WorkoutShape; volume: Volume; fallback: readonly string[] }> {
  const volume = volumeOf(shape, movements, level);
  if (volume !== undefined) return { shape, volume, fallback };
  const amrap = FORMATS.find((format) => format.id === 'amrap');
  const amrapShape = amrap && { ...shape, format: amrap };
  const second = amrapShape && volumeOf(amrapShape, movements, level);
  if (!second) throw new Error('AMRAP accepts any movements, yet has no volume');
  const step = `${shape.format.id}: no rounds fit the time domain`;
  return { shape: amrapShape, volume: second, fallback: [...fallback, step] };
}

function prescribe(
  movement: Movement,
  level: Level,
  set: Volume['sets'][number] | undefined,
): PrescribedMovement {
  const { id, name, cue, perSide, loadKg } = movement;
  return {
    id,
    name,
    amount: set?.amount ?? movement.amount.least,
    unit: set?.unit ?? movement.unit,
    ...(perSide === true && { perSide }),
    ...(loadKg !== undefined && { loadKg: loadKg[level] }),
    cue,
  };
}

function stimulusOf(
  { format }: WorkoutShape,
  volume: Volume,
  movements: readonly Movement[],
): Stimulus {
  const loaded = movements.some((movement) => movement.loadKg !== undefined);
  const heavy = format.accepts === 'lift';
  return {
    timeDomain: timeDomainOf(volume.estimatedSeconds),
    load: heavy ? 'heavy' : loaded ? 'moderate' : 'bodyweight',
    intent: format.intent,
  };
}

const FORMAT_NAMES: Readonly<Record<WorkoutShape['format']['id'], string>> = {
  amrap: 'AMRAP',
  emom: 'EMOM',
  'for-time': 'For time',
  intervals: 'Intervals',
  strength: 'Strength',
  tabata: 'Tabata',
};

function titleOf({ format }: WorkoutShape, volume: Volume, movements: readonly Movement[]): string {
  const names = movements.map((movement) => movement.name.toLowerCase()).join(', ');
  const minutes = String(Math.ceil(volume.estimatedSeconds / 60));
  return `${FORMAT_NAMES[format.id]}, ${minutes} min: ${names}`;
}

function explainOf(
  drawn: DrawnWorkout,
  pool: MovementPool,
  { seed, level }: Readonly<{ seed: string; level: Level }>,
): Explain {
  const scaling = drawn.movements
    .map((movement) => [movement.id, pool.scaled(movement, level).id] as const)
    .filter(([original, replacement]) => original !== replacement)
    .map(([original, replacement]) => `W2 ${original} → ${replacement}`);
  const { format, movementCount } = drawn.shape;
  return {
    seed,
    reason: `Drawn by lot: ${FORMAT_NAMES[format.id]} with ${String(movementCount)} of the ${String(
      pool.movements.length,
    )} movements open to you.`,
    catalogue: CATALOGUE.length,
    pool: pool.movements.length,
    excluded: pool.excluded,
    passedOver: drawn.passedOver,
    scaling,
    fallback: drawn.fallback,
  };
}
