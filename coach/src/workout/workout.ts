/** The workout of the day as it is stored: plain JSON, small, complete without the catalogue. */
import type { FormatId, ScoreType } from './format.ts';
import type { Unit } from './movement.ts';
import type { Pattern } from './pattern.ts';

/** A band of duration: short to 10 min, medium to 20 min, long beyond. */
export type TimeDomain = 'short' | 'medium' | 'long';

/** What a good result looks like; both bounds included. */
export interface Target {
  readonly low: number;
  readonly high: number;
  readonly unit: 'seconds' | 'rounds' | 'reps' | 'kg';
}

export interface Stimulus {
  readonly timeDomain: TimeDomain;
  readonly load: 'bodyweight' | 'moderate' | 'heavy';
  /** How it should feel, as a sentence to the member. */
  readonly intent: string;
}

export interface PrescribedMovement {
  readonly id: string;
  readonly name: string;
  /** Above zero, in `unit`: for one round, and for each side where `perSide` is true. */
  readonly amount: number;
  readonly unit: Unit;
  readonly perSide?: true;
  /** Kilograms of one implement; absent where nothing is lifted. */
  readonly loadKg?: number;
  readonly cue: string;
}

/** A drill before or a stretch after; it needs no equipment and carries no tag. */
export interface Drill {
  readonly name: string;
  readonly amount: number;
  readonly unit: Unit;
  /** The patterns it prepares or relaxes; empty is the whole body. */
  readonly patterns: readonly Pattern[];
}

/** Why this workout: for the operator a record, for the member `reason`. */
export interface Explain {
  readonly seed: string;
  readonly reason: string;
  /** Size of the catalogue, and what was left after the exclusions. */
  readonly catalogue: number;
  readonly pool: number;
  /** Movements excluded by rule and cause; with `pool` they add up to `catalogue`. */
  readonly excluded: Readonly<Record<'W1' | 'W3', Readonly<Record<string, number>>>>;
  /** Movements drawn but not taken, counted by cause. */
  readonly passedOver: Readonly<Record<string, number>>;
  /** Substitutions made for the level (W2), and formats given up. */
  readonly scaling: readonly string[];
  readonly fallback: readonly string[];
}

export interface Workout {
  readonly version: number;
  readonly userId: string;
  /** YYYY-MM-DD */
  readonly date: string;
  readonly format: FormatId;
  readonly title: string;
  /** How rounds, work and rest run, as a sentence to the member. */
  readonly scheme: string;
  readonly scoreType: ScoreType;
  readonly capSeconds: number;
  readonly estimatedSeconds: number;
  readonly target: Target;
  readonly stimulus: Stimulus;
  readonly warmUp: readonly Drill[];
  readonly movements: readonly PrescribedMovement[];
  /** Rounds, sets or windows; absent where the clock alone ends the work (AMRAP). */
  readonly rounds?: number;
  /** A new minute or window starts this often (EMOM, intervals). */
  readonly everySeconds?: number;
  readonly coolDown: readonly Drill[];
  readonly explain: Explain;
}
