/** The workout of the day as it is stored: plain JSON that can be shown without the catalogue. */
import type { FormatId, ScoreType } from './format.ts';
import type { Pattern, Unit } from './movement.ts';

/** A range of durations: short up to 10 minutes, medium up to 20 minutes, long above. A scaled workout stays in the range of the Rx workout (rule W7). */
export type TimeDomain = 'short' | 'medium' | 'long';

/** The range of a good result, both bounds included. */
export interface Target {
  readonly low: number;
  readonly high: number;
  readonly unit: 'seconds' | 'rounds' | 'reps' | 'kg';
}

export interface Stimulus {
  readonly timeDomain: TimeDomain;
  readonly load: 'bodyweight' | 'moderate' | 'heavy';
  /** How it should feel, as a sentence to the user. */
  readonly intent: string;
}

export interface PrescribedMovement {
  readonly id: string;
  readonly name: string;
  /** Above zero, in `unit`: for one round, and for each side if `perSide` is true. */
  readonly amount: number;
  readonly unit: Unit;
  readonly perSide?: true;
  /** Kilograms of one implement; absent if nothing is lifted. */
  readonly loadKg?: number;
  readonly cue: string;
}

/** A drill of the warm-up or a stretch of the cool-down; it needs no equipment and has no tag. */
export interface Drill {
  readonly name: string;
  readonly amount: number;
  readonly unit: Unit;
  /** The patterns that it prepares or relaxes; empty for the whole body. */
  readonly patterns: readonly Pattern[];
}

/** How the workout was chosen: `reason` is for the user, the rest for the operator. */
export interface Explain {
  readonly seed: string;
  readonly reason: string;
  /** The number of movements in the catalogue, and in `pool` after the exclusions. */
  readonly catalogue: number;
  readonly pool: number;
  /** The number of excluded movements by rule and cause; with `pool` they add up to `catalogue`. */
  readonly excluded: Readonly<Record<'W1' | 'W3', Readonly<Record<string, number>>>>;
  /** The number of movements that were drawn and not taken, by cause. */
  readonly passedOver: Readonly<Record<string, number>>;
  /** Movements replaced for the level (W2), and formats that were tried without success. */
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
  /** How rounds, work and rest run, as a sentence to the user. */
  readonly scheme: string;
  readonly scoreType: ScoreType;
  readonly capSeconds: number;
  readonly estimatedSeconds: number;
  readonly target: Target;
  readonly stimulus: Stimulus;
  readonly warmUp: readonly Drill[];
  readonly movements: readonly PrescribedMovement[];
  /** Rounds, sets or intervals; absent if only the clock ends the work (AMRAP). */
  readonly rounds?: number;
  /** A new minute or interval starts this often (EMOM, intervals). */
  readonly everySeconds?: number;
  readonly coolDown: readonly Drill[];
  readonly explain: Explain;
}

/** Seconds of each time domain, both bounds included. */
export const TIME_DOMAIN_SECONDS: Readonly<
  Record<TimeDomain, Readonly<{ least: number; most: number }>>
> = {
  short: { least: 0, most: 600 },
  medium: { least: 601, most: 1200 },
  long: { least: 1201, most: 1800 },
};

export function timeDomainOf(durationSeconds: number): TimeDomain {
  if (durationSeconds <= TIME_DOMAIN_SECONDS.short.most) return 'short';
  return durationSeconds <= TIME_DOMAIN_SECONDS.medium.most ? 'medium' : 'long';
}
