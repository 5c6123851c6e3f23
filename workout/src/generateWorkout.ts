/** Makes the workout of the day: a pure function of user, date and version. */

import type { CompactMovement, CompactWorkout } from './compactWorkout.ts';
import { GENERATOR_VERSION } from './compactWorkout.ts';
import type { DrawnWorkout, WorkoutShape } from './drawWorkout.ts';
import { drawWorkout } from './drawWorkout.ts';
import { expandWorkout } from './expandWorkout.ts';
import { FORMATS } from './format.ts';
import type { Movement } from './movement.ts';
import type { PoolMovement } from './movementPool.ts';
import { movementPool } from './movementPool.ts';
import { createRandom, seedOf } from './random.ts';
import type { Level, User } from './user.ts';
import type { Volume } from './volume.ts';
import { volumeOf } from './volume.ts';
import type { Workout } from './workout.ts';

/**
 * The workout as a user reads it.
 * @param date YYYY-MM-DD; no clock is read.
 * @returns plain JSON; equal inputs give equal bytes.
 * @throws RangeError if the date is not a calendar day or the user id is empty.
 */
export function generateWorkout(user: User, date: string): Workout {
  return expandWorkout(generateCompactWorkout(user, date), { userId: user.userId, date });
}

/**
 * The workout as it is stored. Draws the Rx workout from the movements open to the user, then scales movements, loads and volume to the
 * user's level.
 * @param date YYYY-MM-DD; no clock is read.
 * @returns plain JSON without texts; equal inputs give equal bytes.
 * @throws RangeError if the date is not a calendar day or the user id is empty.
 */
export function generateCompactWorkout(user: User, date: string): CompactWorkout {
  assertInputs(user.userId, date);
  const { level } = user;
  const pool = movementPool(user);
  const drawn = drawWorkout(createRandom(seedOf(user.userId, date, GENERATOR_VERSION)), pool);
  const movements = drawn.movements.map(({ scaled }) => scaled[level]);
  const { shape, volume, fallback } = volumeWithFallback(drawn, movements, level);
  const { amounts, ...timing } = volume;
  return {
    version: GENERATOR_VERSION,
    format: shape.format.id,
    ...timing,
    movements: drawn.movements.map((movement, index) => prescribe(movement, level, amounts[index])),
    explain: {
      pool: pool.movements.length,
      excluded: pool.excluded,
      passedOver: drawn.passedOver,
      ...(fallback.length > 0 && { fallback }),
    },
  };
}

/** The date that was checked last: all jobs of a run have the same one, and a check costs as much as a twentieth of the workout. */
let checkedDate = '';

function assertInputs(userId: string, date: string): void {
  if (userId === '') throw new RangeError('userId is empty');
  if (date === checkedDate) return;
  const day = new Date(`${date}T00:00:00Z`);
  const real = !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === date;
  if (!real) throw new RangeError(`date is not a day as YYYY-MM-DD: ${date}`);
  checkedDate = date;
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
  { original, scaled }: PoolMovement,
  level: Level,
  amount: number | undefined,
): CompactMovement {
  const { id, loadKg, amount: range } = scaled[level];
  return {
    id,
    amount: amount ?? range.least,
    ...(loadKg !== undefined && { loadKg: loadKg[level] }),
    ...(id !== original.id && { replaces: original.id }),
  };
}
