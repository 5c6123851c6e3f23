/** A workout as it is stored: ids and numbers. `expandWorkout` adds the texts and everything else that follows from them. */
import type { FormatId } from './format.ts';

/**
 * The version of generator and catalogue that made a workout. What a change must do, so that stored workouts stay as they are:
 * - A change that alters any new workout (a movement's equipment, tags, pace, load or amount; a new movement; a setting of a format) raises
 *   this number. Stored workouts have numbers of their own.
 * - What a reader gets by an id (name, cue, unit, pattern, sides, drills, intents) stays: only spelling may be corrected. Another wording or
 *   unit is a new movement with an id of its own. A movement that must not be drawn any more leaves `CATALOGUE`, not `MOVEMENT_BY_ID`.
 * - Another sentence or derived value in `expandWorkout` is for new versions only: it asks the workout's version.
 * The tests compare both with files in `test/golden`, which keep what earlier versions stored. A reader refuses a version above its own, so
 * the monolith is deployed before a coach with a new version.
 */
export const GENERATOR_VERSION = 1;

export interface CompactMovement {
  readonly id: string;
  /** Above zero, in the unit of the movement or else of the format. */
  readonly amount: number;
  /** Kilograms of one implement; absent if nothing is lifted. */
  readonly loadKg?: number;
  /** The id of the movement that this one replaces for the level (W2); absent if none. */
  readonly replaces?: string;
}

/** User and date are not part of it: they are the id of the stored document. */
export interface CompactWorkout {
  readonly version: number;
  readonly format: FormatId;
  readonly estimatedSeconds: number;
  readonly capSeconds: number;
  readonly target: Readonly<{ low: number; high: number }>;
  /** Rounds, sets or intervals; absent if only the clock ends the work (AMRAP). */
  readonly rounds?: number;
  /** A new minute or interval starts this often (EMOM, intervals). */
  readonly everySeconds?: number;
  readonly movements: readonly CompactMovement[];
  readonly explain: CompactExplain;
}

/** What `Explain` of the workout cannot derive. */
export interface CompactExplain {
  readonly pool: number;
  readonly excluded: Readonly<Record<'W1' | 'W3', Readonly<Record<string, number>>>>;
  readonly passedOver: Readonly<Record<string, number>>;
  /** Absent if no format was tried without success. */
  readonly fallback?: readonly string[];
}
