/**
 * The volume of a workout: amounts, rounds and time. It follows the pace of the user's level, so that every level stays in the time domain
 * of the Rx workout (rules W5, W7).
 */
import type { WorkoutShape } from './drawWorkout.ts';
import type { Movement, Unit } from './movement.ts';
import { setSeconds } from './movement.ts';
import type { Level } from './user.ts';
import { TIME_DOMAIN_SECONDS, timeDomainOf } from './workout.ts';

/** Seconds between one movement and the next. */
const CHANGE_SECONDS = 5;
/** Seconds of rest after each strength set. */
const STRENGTH_REST_SECONDS = 150;
const TABATA_REST_SECONDS = 10;
const TABATA_BREAK_SECONDS = 60;
const MINUTE = 60;
/** An athlete cannot count more rounds than this reliably. */
const MOST_ROUNDS = 12;

/** The largest share of a time domain that the estimate may take, so that a slow athlete finishes within the cap. */
const LARGEST_ESTIMATE_SHARE = 0.9;

export interface Volume {
  /** In the order of the movements. */
  readonly amounts: readonly number[];
  readonly estimatedSeconds: number;
  readonly capSeconds: number;
  readonly target: Readonly<{ low: number; high: number }>;
  readonly rounds?: number;
  readonly everySeconds?: number;
}

/** @returns undefined if no number of rounds fits the time domain; this happens for the format `for-time` only. */
export function volumeOf(
  shape: WorkoutShape,
  movements: readonly Movement[],
  level: Level,
): Volume | undefined {
  switch (shape.format.id) {
    case 'amrap':
      return amrap(shape, movements, level);
    case 'emom':
      return emom(shape, movements, level);
    case 'for-time':
      return forTime(shape, movements, level);
    case 'intervals':
      return intervals(shape, movements, level);
    case 'strength':
      return strength(shape, movements, level);
    case 'tabata':
      return tabata(shape, movements);
  }
}

function amrap({ setting }: WorkoutShape, movements: readonly Movement[], level: Level): Volume {
  const capSeconds = setting.aimSeconds;
  const { amounts, roundSeconds } = roundOf(movements, level, setting.workSeconds);
  const rounds = capSeconds / roundSeconds;
  const low = Math.max(1, Math.floor(rounds * 0.85));
  return {
    amounts,
    estimatedSeconds: capSeconds,
    capSeconds,
    target: { low, high: Math.max(low + 1, Math.floor(rounds * 1.15)) },
  };
}

function emom({ setting }: WorkoutShape, movements: readonly Movement[], level: Level): Volume {
  const rounds = Math.floor(setting.aimSeconds / MINUTE / movements.length);
  const minutes = rounds * movements.length;
  const { amounts } = roundOf(movements, level, setting.workSeconds);
  return {
    amounts,
    estimatedSeconds: minutes * MINUTE,
    capSeconds: minutes * MINUTE,
    target: { low: rounds - 1, high: rounds },
    rounds,
    everySeconds: MINUTE,
  };
}

function forTime(
  { format, setting }: WorkoutShape,
  movements: readonly Movement[],
  level: Level,
): Volume | undefined {
  const domain = TIME_DOMAIN_SECONDS[timeDomainOf(setting.aimSeconds)];
  const { amounts, roundSeconds } = roundOf(movements, level, setting.workSeconds);
  const rounds = Math.min(MOST_ROUNDS, Math.round(setting.aimSeconds / roundSeconds));
  const estimatedSeconds = Math.round(rounds * roundSeconds);
  const least = Math.max(domain.least, format.boundSeconds.least);
  const most = domain.most * LARGEST_ESTIMATE_SHARE;
  if (rounds < 2 || estimatedSeconds < least || estimatedSeconds > most) return undefined;
  const capSeconds = Math.min(domain.most, Math.ceil((estimatedSeconds * 1.3) / MINUTE) * MINUTE);
  const high = Math.min(capSeconds, Math.round(estimatedSeconds * 1.1));
  return {
    amounts,
    estimatedSeconds,
    capSeconds,
    target: { low: Math.round(estimatedSeconds * 0.85), high },
    rounds,
  };
}

function intervals(
  { setting }: WorkoutShape,
  movements: readonly Movement[],
  level: Level,
): Volume {
  const rounds = setting.rounds ?? 1;
  const everySeconds = setting.aimSeconds / rounds;
  const { amounts, roundSeconds } = roundOf(movements, level, setting.workSeconds);
  return {
    amounts,
    estimatedSeconds: setting.aimSeconds,
    capSeconds: setting.aimSeconds,
    target: {
      low: Math.round(roundSeconds * 0.85),
      high: Math.min(everySeconds, Math.round(roundSeconds * 1.1)),
    },
    rounds,
    everySeconds,
  };
}

function strength(
  { format, setting }: WorkoutShape,
  movements: readonly Movement[],
  level: Level,
): Volume {
  const rounds = setting.rounds ?? 1;
  const reps = setting.reps ?? 1;
  const work = movements.reduce((sum, movement) => sum + setSeconds(movement, reps, level), 0);
  const loadKg = Math.max(...movements.map((movement) => movement.loadKg?.[level] ?? 0));
  return {
    amounts: movements.map(() => reps),
    estimatedSeconds: Math.round(rounds * (work + STRENGTH_REST_SECONDS)),
    capSeconds: format.boundSeconds.most,
    target: { low: loadKg, high: Math.round(loadKg * 1.2 * 2) / 2 },
    rounds,
  };
}

function tabata({ setting }: WorkoutShape, movements: readonly Movement[]): Volume {
  const rounds = setting.rounds ?? 1;
  const count = movements.length;
  const block = rounds * (setting.workSeconds + TABATA_REST_SECONDS);
  const seconds = count * block + (count - 1) * TABATA_BREAK_SECONDS;
  return {
    amounts: movements.map(() => setting.workSeconds),
    estimatedSeconds: seconds,
    capSeconds: seconds,
    target: { low: count * rounds * 5, high: count * rounds * 15 },
    rounds,
  };
}

function roundOf(
  movements: readonly Movement[],
  level: Level,
  workSeconds: number,
): Readonly<{ amounts: readonly number[]; roundSeconds: number }> {
  let roundSeconds = 0;
  const amounts = movements.map((movement) => {
    const wanted = workSeconds / setSeconds(movement, 1, level);
    const amount = roundedAmount(movement.unit, wanted, movement.amount);
    roundSeconds += setSeconds(movement, amount, level) + CHANGE_SECONDS;
    return amount;
  });
  return { amounts, roundSeconds };
}

/** Amounts that a trainer would prescribe: 12 or 15 push-ups, never 13. */
const COUNTS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 20, 24, 25, 30, 40, 50, 60, 80, 100, 120];

const ALLOWED_AMOUNTS: Readonly<Record<Unit, readonly number[]>> = {
  reps: COUNTS,
  calories: COUNTS,
  metres: [10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400],
  seconds: [10, 15, 20, 25, 30, 40, 45, 50, 60],
};

/**
 * @returns the largest allowed amount up to `wanted` and within the range. It is at least `range.least`, so it may exceed `wanted`.
 */
function roundedAmount(
  unit: Unit,
  wanted: number,
  range: Readonly<{ least: number; most: number }>,
): number {
  const most = Math.min(wanted, range.most);
  return Math.max(
    range.least,
    ALLOWED_AMOUNTS[unit].findLast((amount) => amount <= most) ?? range.least,
  );
}
