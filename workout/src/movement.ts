/** A movement of the catalogue: one exercise with all data that a workout needs of it. */
import type { ByLevel, Equipment, Exclusion, Level } from './user.ts';

/** How a movement moves the body; warm-up and cool-down are chosen by it. */
export type Pattern = (typeof PATTERNS)[number];

/** Every movement pattern, in a fixed order. */
export const PATTERNS = [
  'carry',
  'core',
  'hinge',
  'horizontal pull',
  'horizontal push',
  'jump',
  'locomotion',
  'lunge',
  'squat',
  'vertical pull',
  'vertical push',
] as const;

/** M is monostructural (cardio), G gymnastics (bodyweight), W weightlifting. */
export type Modality = 'M' | 'G' | 'W';

/** The unit of an amount. */
export type Unit = 'reps' | 'metres' | 'calories' | 'seconds';

export interface Movement {
  /** Never changed, because stored workouts contain it. */
  readonly id: string;
  readonly name: string;
  readonly cue: string;
  readonly modality: Modality;
  readonly pattern: Pattern;
  /** All equipment that the movement needs; empty for bodyweight. */
  readonly equipment: readonly Equipment[];
  /** 1 (anyone) to 5 (years of practice). */
  readonly skillLevel: 1 | 2 | 3 | 4 | 5;
  readonly unit: Unit;
  /** The amount is done on each side, so it takes twice as long. */
  readonly perSide?: true;
  /** Seconds for one unit (on one side), short breaks included. */
  readonly secondsPerUnit: ByLevel;
  /** The smallest and the largest sensible set, in `unit`. */
  readonly amount: Readonly<{ least: number; most: number }>;
  /** Kilograms of one implement; absent if nothing is lifted. */
  readonly loadKg?: ByLevel;
  /** Allowed as the single lift of a strength workout. */
  readonly strength?: true;
  readonly tags: readonly Exclusion[];
  /** Ids of easier movements that replace this one, the best replacement first. */
  readonly regressions: readonly string[];
}

/** @returns the seconds of one set, on both sides, at the pace of a level; without the change to the next movement. */
export function setSeconds(movement: Movement, amount: number, level: Level): number {
  const sides = movement.perSide === true ? 2 : 1;
  return amount * movement.secondsPerUnit[level] * sides;
}
