/**
 * How much of each movement, for how long: the volume is cut to the member's pace, so that every
 * level stays in the time domain of the Rx workout (rules W5, W7).
 */
import type { Frame } from './drawMovements.ts';
import type { Level } from './level.ts';
import type { Movement, Unit } from './movement.ts';
import { setSeconds } from './movement.ts';
import { niceAmount } from './niceAmount.ts';
import { DOMAIN_SECONDS, timeDomain } from './timeDomain.ts';
import type { Target } from './workout.ts';

/** Seconds to change from one movement to the next. */
const CHANGE_SECONDS = 5;
/** Seconds of rest after each strength set. */
const STRENGTH_REST_SECONDS = 150;
const TABATA_REST_SECONDS = 10;
const TABATA_BREAK_SECONDS = 60;
const MINUTE = 60;
/** More rounds than this are tedious to count. */
const MOST_ROUNDS = 12;

/** Share of a time domain that an estimate may fill, so that a slow day stays within the cap. */
const LARGEST_ESTIMATE_SHARE = 0.9;

export interface Dose {
  /** In the order of the movements. */
  readonly sets: readonly Readonly<{ amount: number; unit: Unit }>[];
  readonly scheme: string;
  readonly estimatedSeconds: number;
  readonly capSeconds: number;
  readonly target: Target;
  readonly rounds?: number;
  readonly everySeconds?: number;
}

/** Undefined where no number of rounds keeps the time domain (for time only). */
export function doseOf(
  frame: Frame,
  movements: readonly Movement[],
  level: Level,
): Dose | undefined {
  switch (frame.format.id) {
    case 'amrap':
      return amrap(frame, movements, level);
    case 'emom':
      return emom(frame, movements, level);
    case 'for-time':
      return forTime(frame, movements, level);
    case 'intervals':
      return intervals(frame, movements, level);
    case 'strength':
      return strength(frame, movements, level);
    case 'tabata':
      return tabata(frame, movements);
  }
}

function amrap({ setting }: Frame, movements: readonly Movement[], level: Level): Dose {
  const capSeconds = setting.aimSeconds;
  const { sets, roundSeconds } = roundOf(movements, level, setting.workSeconds);
  const rounds = capSeconds / roundSeconds;
  const low = Math.max(1, Math.floor(rounds * 0.85));
  return {
    sets,
    scheme: `As many rounds as possible in ${String(capSeconds / MINUTE)} minutes.`,
    estimatedSeconds: capSeconds,
    capSeconds,
    target: { low, high: Math.max(low + 1, Math.floor(rounds * 1.15)), unit: 'rounds' },
  };
}

function emom({ setting }: Frame, movements: readonly Movement[], level: Level): Dose {
  const rounds = Math.floor(setting.aimSeconds / MINUTE / movements.length);
  const minutes = rounds * movements.length;
  const { sets } = roundOf(movements, level, setting.workSeconds);
  return {
    sets,
    scheme: `A new movement every minute, in turn, for ${String(minutes)} minutes.`,
    estimatedSeconds: minutes * MINUTE,
    capSeconds: minutes * MINUTE,
    target: { low: rounds - 1, high: rounds, unit: 'rounds' },
    rounds,
    everySeconds: MINUTE,
  };
}

function forTime(
  { format, setting }: Frame,
  movements: readonly Movement[],
  level: Level,
): Dose | undefined {
  const domain = DOMAIN_SECONDS[timeDomain(setting.aimSeconds)];
  const { sets, roundSeconds } = roundOf(movements, level, setting.workSeconds);
  const rounds = Math.min(MOST_ROUNDS, Math.round(setting.aimSeconds / roundSeconds));
  const estimatedSeconds = Math.round(rounds * roundSeconds);
  const least = Math.max(domain.least, format.boundSeconds.least);
  const most = domain.most * LARGEST_ESTIMATE_SHARE;
  if (rounds < 2 || estimatedSeconds < least || estimatedSeconds > most) return undefined;
  const capSeconds = Math.min(domain.most, Math.ceil((estimatedSeconds * 1.3) / MINUTE) * MINUTE);
  const high = Math.min(capSeconds, Math.round(estimatedSeconds * 1.1));
  return {
    sets,
    scheme: `${String(rounds)} rounds for time.`,
    estimatedSeconds,
    capSeconds,
    target: { low: Math.round(estimatedSeconds * 0.85), high, unit: 'seconds' },
    rounds,
  };
}

function intervals({ setting }: Frame, movements: readonly Movement[], level: Level): Dose {
  const rounds = setting.rounds ?? 1;
  const everySeconds = setting.aimSeconds / rounds;
  const { sets, roundSeconds } = roundOf(movements, level, setting.workSeconds);
  const every = String(everySeconds / MINUTE);
  return {
    sets,
    scheme: `Every ${every} minutes, ${String(rounds)} times: all movements, then rest.`,
    estimatedSeconds: setting.aimSeconds,
    capSeconds: setting.aimSeconds,
    target: {
      low: Math.round(roundSeconds * 0.85),
      high: Math.min(everySeconds, Math.round(roundSeconds * 1.1)),
      unit: 'seconds',
    },
    rounds,
    everySeconds,
  };
}

function strength({ format, setting }: Frame, movements: readonly Movement[], level: Level): Dose {
  const rounds = setting.rounds ?? 1;
  const reps = setting.reps ?? 1;
  const work = movements.reduce((sum, movement) => sum + setSeconds(movement, reps, level), 0);
  const loadKg = Math.max(...movements.map((movement) => movement.loadKg?.[level] ?? 0));
  return {
    sets: movements.map(({ unit }) => ({ amount: reps, unit })),
    scheme: `${String(rounds)} sets of ${String(reps)}; rest two to three minutes after each.`,
    estimatedSeconds: Math.round(rounds * (work + STRENGTH_REST_SECONDS)),
    capSeconds: format.boundSeconds.most,
    target: { low: loadKg, high: Math.round(loadKg * 1.2 * 2) / 2, unit: 'kg' },
    rounds,
  };
}

function tabata({ setting }: Frame, movements: readonly Movement[]): Dose {
  const rounds = setting.rounds ?? 1;
  const count = movements.length;
  const block = rounds * (setting.workSeconds + TABATA_REST_SECONDS);
  const seconds = count * block + (count - 1) * TABATA_BREAK_SECONDS;
  const scheme = `${String(rounds)} × 20 s work, 10 s rest`;
  return {
    sets: movements.map(() => ({ amount: setting.workSeconds, unit: 'seconds' })),
    scheme: `${scheme} of each movement; one minute between movements.`,
    estimatedSeconds: seconds,
    capSeconds: seconds,
    target: { low: count * rounds * 5, high: count * rounds * 15, unit: 'reps' },
    rounds,
  };
}

function roundOf(
  movements: readonly Movement[],
  level: Level,
  workSeconds: number,
): Readonly<{ sets: Dose['sets']; roundSeconds: number }> {
  let roundSeconds = 0;
  const sets = movements.map((movement) => {
    const wanted = workSeconds / setSeconds(movement, 1, level);
    const amount = niceAmount(movement.unit, wanted, movement.amount);
    roundSeconds += setSeconds(movement, amount, level) + CHANGE_SECONDS;
    return { amount, unit: movement.unit };
  });
  return { sets, roundSeconds };
}
