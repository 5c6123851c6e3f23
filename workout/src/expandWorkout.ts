/** Makes the workout that a user reads from its stored form: the texts come from the catalogue, by id. */
import { type CompactExplain, type CompactWorkout, GENERATOR_VERSION } from './compactWorkout.ts';
import { coolDown, warmUp } from './drills.ts';
import type { Format } from './format.ts';
import { FORMATS } from './format.ts';
import type { Movement } from './movement.ts';
import { MOVEMENT_BY_ID } from './movementCatalogue.ts';
import { seedOf } from './random.ts';
import type { Stimulus, Workout } from './workout.ts';
import { timeDomainOf } from './workout.ts';

/** Whose workout it is. */
export interface WorkoutKey {
  readonly userId: string;
  /** YYYY-MM-DD */
  readonly date: string;
}

/** A stored workout that this release cannot read. The message says what is unknown in it, and the remedy. */
export class UnreadableWorkout extends Error {
  override readonly name = 'UnreadableWorkout';

  constructor({ userId, date }: WorkoutKey, problem: string) {
    super(`The workout of ${userId} for ${date} cannot be read: ${problem}`);
  }
}

/**
 * @param compact as `generateCompactWorkout` made it, with or without further fields; any version up to `GENERATOR_VERSION`.
 * @returns plain JSON; equal inputs give equal bytes.
 * @throws UnreadableWorkout if the version, the format or a movement is unknown.
 */
export function expandWorkout(compact: CompactWorkout, key: WorkoutKey): Workout {
  const { version, estimatedSeconds, rounds, everySeconds, explain } = compact;
  assertVersion(version, key);
  const format = formatOf(compact.format, key);
  const items = compact.movements.map((set) => ({ set, movement: movementOf(set.id, key) }));
  const movements = items.map(({ movement }) => movement);
  const patterns = movements.map(({ pattern }) => pattern);
  return {
    version,
    userId: key.userId,
    date: key.date,
    format: format.id,
    title: titleOf(format, estimatedSeconds, movements),
    scheme: schemeOf(format, compact),
    scoreType: format.scoreType,
    estimatedSeconds,
    capSeconds: compact.capSeconds,
    target: { low: compact.target.low, high: compact.target.high, unit: format.targetUnit },
    ...(rounds !== undefined && { rounds }),
    ...(everySeconds !== undefined && { everySeconds }),
    stimulus: stimulusOf(format, compact),
    warmUp: warmUp(patterns),
    movements: items.map(({ set, movement }) => ({
      id: movement.id,
      name: movement.name,
      amount: set.amount,
      unit: format.amountUnit ?? movement.unit,
      ...(movement.perSide === true && { perSide: true as const }),
      ...(set.loadKg !== undefined && { loadKg: set.loadKg }),
      cue: movement.cue,
    })),
    coolDown: coolDown(patterns),
    explain: {
      seed: seedOf(key.userId, key.date, version),
      reason: reasonOf(format, movements.length, explain.pool),
      catalogue: catalogueSizeOf(explain),
      pool: explain.pool,
      excluded: explain.excluded,
      passedOver: explain.passedOver,
      scaling: compact.movements.flatMap(({ id, replaces }) =>
        replaces === undefined ? [] : `W2 ${replaces} → ${id}`,
      ),
      fallback: explain.fallback ?? [],
    },
  };
}

function assertVersion(version: number, key: WorkoutKey): void {
  if (Number.isInteger(version) && version >= 1 && version <= GENERATOR_VERSION) return;
  throw new UnreadableWorkout(
    key,
    `version ${String(version)} of the generator made it, and this release knows versions 1 to ${String(
      GENERATOR_VERSION,
    )}. Deploy a release that knows it, the monolith before the coach.`,
  );
}

function formatOf(id: string, key: WorkoutKey): Format {
  const format = FORMATS.find((one) => one.id === id);
  if (format !== undefined) return format;
  throw new UnreadableWorkout(key, `the format '${id}' is unknown. ${RESTORE}`);
}

function movementOf(id: string, key: WorkoutKey): Movement {
  const movement = MOVEMENT_BY_ID.get(id);
  if (movement !== undefined) return movement;
  throw new UnreadableWorkout(key, `the movement '${id}' is unknown. ${RESTORE}`);
}

const RESTORE =
  'Restore it: what a workout may have been stored with stays in MOVEMENT_BY_ID or FORMATS.';

function titleOf(format: Format, estimatedSeconds: number, movements: readonly Movement[]): string {
  const names = movements.map((movement) => movement.name.toLowerCase()).join(', ');
  const minutes = String(Math.ceil(estimatedSeconds / 60));
  return `${format.name}, ${minutes} min: ${names}`;
}

function schemeOf(format: Format, compact: CompactWorkout): string {
  const { capSeconds, movements } = compact;
  const minutes = String(capSeconds / 60);
  const rounds = String(compact.rounds ?? 1);
  switch (format.id) {
    case 'amrap':
      return `As many rounds as possible in ${minutes} minutes.`;
    case 'emom':
      return `A new movement every minute, in turn, for ${minutes} minutes.`;
    case 'for-time':
      return `${rounds} rounds for time.`;
    case 'intervals': {
      const every = String((compact.everySeconds ?? capSeconds) / 60);
      return `Every ${every} minutes, ${rounds} times: all movements, then rest.`;
    }
    case 'strength': {
      const reps = String(movements[0]?.amount ?? 1);
      return `${rounds} sets of ${reps}; rest two to three minutes after each.`;
    }
    case 'tabata':
      return `${rounds} × 20 s work, 10 s rest of each movement; one minute between movements.`;
  }
}

function stimulusOf(format: Format, { estimatedSeconds, movements }: CompactWorkout): Stimulus {
  const loaded = movements.some(({ loadKg }) => loadKg !== undefined);
  return {
    timeDomain: timeDomainOf(estimatedSeconds),
    load: format.accepts === 'lift' ? 'heavy' : loaded ? 'moderate' : 'bodyweight',
    intent: format.intent,
  };
}

function reasonOf(format: Format, movementCount: number, poolSize: number): string {
  return `Drawn by lot: ${format.name} with ${String(movementCount)} of the ${String(
    poolSize,
  )} movements open to you.`;
}

/** The size of the catalogue at the time: each of its movements was open to the user or is counted as excluded once. */
function catalogueSizeOf({ pool, excluded }: CompactExplain): number {
  let size = pool;
  for (const counts of Object.values(excluded))
    for (const count of Object.values(counts)) size += count;
  return size;
}
