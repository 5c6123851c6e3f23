/** One exercise of the catalogue, with all that a prescription needs to know of it. */
import type { Equipment } from './equipment.ts';
import type { ByLevel, Level } from './level.ts';
import type { Pattern } from './pattern.ts';
import type { Tag } from './tag.ts';

/** M is monostructural (cardio), G gymnastics (bodyweight), W weightlifting. */
export type Modality = 'M' | 'G' | 'W';

/** What an amount counts. */
export type Unit = 'reps' | 'metres' | 'calories' | 'seconds';

export interface Movement {
  /** Stable: stored workouts name it. */
  readonly id: string;
  readonly name: string;
  readonly cue: string;
  readonly modality: Modality;
  readonly pattern: Pattern;
  /** The whole set that is needed; empty is bodyweight. */
  readonly equipment: readonly Equipment[];
  /** 1 (anyone) to 5 (years of practice). */
  readonly skillTier: 1 | 2 | 3 | 4 | 5;
  readonly unit: Unit;
  /** The amount is done once on each side, so it takes twice as long. */
  readonly perSide?: true;
  /** Seconds for one unit (on one side), short breaks included. */
  readonly secondsPerUnit: ByLevel;
  /** The smallest and largest set worth setting, in `unit`. */
  readonly amount: Readonly<{ least: number; most: number }>;
  /** Kilograms of one implement; absent where nothing is lifted. */
  readonly loadKg?: ByLevel;
  /** May be the one lift of a strength day. */
  readonly strength?: true;
  readonly tags: readonly Tag[];
  /** Ids of easier relatives, the best substitute first. */
  readonly regressions: readonly string[];
}

/** Seconds that one set takes on both sides at the pace of a level, change-over apart. */
export function setSeconds(movement: Movement, amount: number, level: Level): number {
  const sides = movement.perSide === true ? 2 : 1;
  return amount * movement.secondsPerUnit[level] * sides;
}
