/** The part of a user's profile that decides the workout, as it was when the job record was made. */

export interface User {
  readonly userId: string;
  readonly level: Level;
  /** Empty: bodyweight only. Order and repetitions do not matter. */
  readonly equipment: readonly Equipment[];
  /** Tags that no movement of the workout may have; absent or empty excludes nothing. */
  readonly exclusions?: readonly Tag[];
}

/** How experienced a user is; `rx` (as prescribed) is the workout before scaling. */
export type Level = (typeof LEVELS)[number];

/** One number for each level. */
export type ByLevel = Readonly<Record<Level, number>>;

/** Every level, from the easiest to the hardest. */
export const LEVELS = ['beginner', 'intermediate', 'rx'] as const;

/** The highest skill tier (1 to 5) of a movement for each level (rule W2). A first guess, to be reviewed by a coach. */
export const HIGHEST_TIER: ByLevel = { beginner: 2, intermediate: 3, rx: 5 };

/** Movements of this tier and above are high-skill; a workout has at most one of them (rule W4). */
export const HIGH_SKILL_TIER = 4;

/** The load of each level as a share of the Rx load, both bounds included (rule W7). */
export const LOAD_SHARE: Readonly<Record<Level, Readonly<{ least: number; most: number }>>> = {
  beginner: { least: 0.4, most: 0.5 },
  intermediate: { least: 0.65, most: 0.8 },
  rx: { least: 1, most: 1 },
};

/** What a user may own. A movement names all equipment that it needs; a bodyweight movement needs none. */
export type Equipment = (typeof EQUIPMENT)[number];

/** Every piece of equipment the catalogue knows, in a fixed order. */
export const EQUIPMENT = [
  'barbell',
  'bench',
  'bike',
  'box',
  'dumbbell',
  'jump rope',
  'kettlebell',
  'pull-up bar',
  'rings',
  'rower',
  'wall ball',
] as const;

/** A demand on the body that a user may have to avoid (rule W3). */
export type Tag = (typeof TAGS)[number];

/** Every tag that a profile may exclude, in a fixed order. */
export const TAGS = ['grip-heavy', 'impact', 'inverted', 'overhead'] as const;
