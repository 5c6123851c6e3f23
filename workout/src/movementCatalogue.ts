/**
 * Every movement that a workout may contain, checked once when the module loads.
 * `GENERATOR_VERSION` says what a change here must do, because stored workouts have ids instead of texts.
 */
import { checkCatalogue } from './checkCatalogue.ts';
import { GYMNASTICS_CORE } from './gymnasticsCore.ts';
import { GYMNASTICS_LOWER } from './gymnasticsLower.ts';
import { GYMNASTICS_UPPER } from './gymnasticsUpper.ts';
import { MONOSTRUCTURAL } from './monostructural.ts';
import type { Movement } from './movement.ts';
import { sortedById } from './random.ts';
import { WEIGHTLIFTING_BARBELL } from './weightliftingBarbell.ts';
import { WEIGHTLIFTING_DUMBBELL } from './weightliftingDumbbell.ts';
import { WEIGHTLIFTING_KETTLEBELL } from './weightliftingKettlebell.ts';

/**
 * All movements, sorted by id.
 * @throws Error at load with every finding, so that a faulty catalogue stops the process at its start.
 */
export const CATALOGUE: readonly Movement[] = checked([
  ...MONOSTRUCTURAL,
  ...GYMNASTICS_LOWER,
  ...GYMNASTICS_UPPER,
  ...GYMNASTICS_CORE,
  ...WEIGHTLIFTING_BARBELL,
  ...WEIGHTLIFTING_DUMBBELL,
  ...WEIGHTLIFTING_KETTLEBELL,
]);

/** The same movements by id. */
export const MOVEMENT_BY_ID: ReadonlyMap<string, Movement> = new Map(
  CATALOGUE.map((movement) => [movement.id, movement]),
);

function checked(movements: readonly Movement[]): readonly Movement[] {
  const findings = checkCatalogue(movements);
  if (findings.length > 0) {
    throw new Error(`The movement catalogue is faulty:\n${findings.join('\n')}`);
  }
  return sortedById(movements);
}
