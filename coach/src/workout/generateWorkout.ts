/** The workout of the day: a pure function of member, date and version. */
import { CATALOGUE } from './catalogue.ts';
import { coolDown } from './coolDown.ts';
import type { Dose } from './dose.ts';
import { doseOf } from './dose.ts';
import type { Frame } from './drawMovements.ts';
import { FORMATS } from './format.ts';
import type { Level } from './level.ts';
import type { Member } from './member.ts';
import type { Pool } from './memberPool.ts';
import { memberPool } from './memberPool.ts';
import type { Movement } from './movement.ts';
import type { Plan } from './planDay.ts';
import { planDay } from './planDay.ts';
import { createRandom, seedOf } from './random.ts';
import { timeDomain } from './timeDomain.ts';
import { warmUp } from './warmUp.ts';
import type { Explain, PrescribedMovement, Stimulus, Workout } from './workout.ts';

/** Covers generator and catalogue: raise it with any change that alters a workout. */
export const GENERATOR_VERSION = 1;

/**
 * Draws the Rx workout from all the member may do, then scales it: movement, load, volume.
 * @param date the member's day as YYYY-MM-DD; no clock is read.
 * @returns plain JSON; equal inputs give equal bytes.
 * @throws RangeError if the date is not a calendar day or the user id is empty.
 */
export function generateWorkout(member: Member, date: string): Workout {
  assertInputs(member.userId, date);
  const seed = seedOf(member.userId, date, GENERATOR_VERSION);
  const pool = memberPool(member);
  const plan = planDay(createRandom(seed), pool);
  const movements = plan.movements.map((movement) => pool.scaled(movement, member.level));
  const { frame, dose, fallback } = doseWithFallback(plan, movements, member.level);
  const patterns = movements.map((movement) => movement.pattern);
  const { sets, scheme, ...timing } = dose;
  return {
    version: GENERATOR_VERSION,
    userId: member.userId,
    date,
    format: frame.format.id,
    title: titleOf(frame, dose, movements),
    scheme,
    scoreType: frame.format.scoreType,
    ...timing,
    stimulus: stimulusOf(frame, dose, movements),
    warmUp: warmUp(patterns),
    movements: movements.map((movement, index) => prescribe(movement, member.level, sets[index])),
    coolDown: coolDown(patterns),
    explain: explainOf({ ...plan, frame, fallback }, pool, { seed, level: member.level }),
  };
}

function assertInputs(userId: string, date: string): void {
  if (userId === '') throw new RangeError('userId is empty');
  const day = new Date(`${date}T00:00:00Z`);
  const real = !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === date;
  if (!real) throw new RangeError(`date is not a day as YYYY-MM-DD: ${date}`);
}

/** Where no number of rounds keeps the time domain, the same movements run against the clock. */
function doseWithFallback(
  { frame, fallback }: Plan,
  movements: readonly Movement[],
  level: Level,
): Readonly<{ frame: Frame; dose: Dose; fallback: readonly string[] }> {
  const dose = doseOf(frame, movements, level);
  if (dose !== undefined) return { frame, dose, fallback };
  const amrap = FORMATS.find((format) => format.id === 'amrap');
  const clocked = amrap && { ...frame, format: amrap };
  const second = clocked && doseOf(clocked, movements, level);
  if (!second) throw new Error('AMRAP takes any movements, yet gave no dose');
  const step = `${frame.format.id}: no rounds fit the time domain`;
  return { frame: clocked, dose: second, fallback: [...fallback, step] };
}

function prescribe(
  movement: Movement,
  level: Level,
  set: Dose['sets'][number] | undefined,
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

function stimulusOf({ format }: Frame, dose: Dose, movements: readonly Movement[]): Stimulus {
  const loaded = movements.some((movement) => movement.loadKg !== undefined);
  const heavy = format.accepts === 'lift';
  return {
    timeDomain: timeDomain(dose.estimatedSeconds),
    load: heavy ? 'heavy' : loaded ? 'moderate' : 'bodyweight',
    intent: format.intent,
  };
}

const NAMES: Readonly<Record<Frame['format']['id'], string>> = {
  amrap: 'AMRAP',
  emom: 'EMOM',
  'for-time': 'For time',
  intervals: 'Intervals',
  strength: 'Strength',
  tabata: 'Tabata',
};

function titleOf({ format }: Frame, dose: Dose, movements: readonly Movement[]): string {
  const names = movements.map((movement) => movement.name.toLowerCase()).join(', ');
  const minutes = String(Math.ceil(dose.estimatedSeconds / 60));
  return `${NAMES[format.id]}, ${minutes} min: ${names}`;
}

function explainOf(
  plan: Plan,
  pool: Pool,
  { seed, level }: Readonly<{ seed: string; level: Level }>,
): Explain {
  const scaling = plan.movements
    .map((movement) => [movement.id, pool.scaled(movement, level).id] as const)
    .filter(([drawn, given]) => drawn !== given)
    .map(([drawn, given]) => `W2 ${drawn} → ${given}`);
  const { format, movementCount } = plan.frame;
  return {
    seed,
    reason: `Drawn by lot: ${NAMES[format.id]} with ${String(movementCount)} of the ${String(
      pool.movements.length,
    )} movements open to you.`,
    catalogue: CATALOGUE.length,
    pool: pool.movements.length,
    excluded: pool.excluded,
    passedOver: plan.passedOver,
    scaling,
    fallback: plan.fallback,
  };
}
