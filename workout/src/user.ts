/** The part of a user's profile that decides the workout, as it was when the job record was made. */

export interface User {
  readonly userId: string;
  readonly level: Level;
  /** Empty: bodyweight only. Order and repetitions do not matter. */
  readonly equipment: readonly Equipment[];
  /** Tags that no movement of the workout may have; absent or empty excludes nothing. */
  readonly exclusions?: readonly Exclusion[];
}

/** How experienced a user is; `rx` (as prescribed) is the workout before scaling. */
export type Level = (typeof LEVELS)[number];

/** One number for each level. */
export type ByLevel = Readonly<Record<Level, number>>;

/** Every level, from the easiest to the hardest. */
export const LEVELS = ['beginner', 'intermediate', 'rx'] as const;

/** The highest skill level (1 to 5) of a movement that a user of each level may get (rule W2). A first estimate, to be reviewed by a trainer. */
export const HIGHEST_SKILL_LEVEL: ByLevel = { beginner: 2, intermediate: 3, rx: 5 };

/** Movements of this skill level and above are high-skill; a workout has at most one of them (rule W4). */
export const HIGH_SKILL_LEVEL = 4;

/** The load of each level as a share of the Rx load, both bounds included (rule W7). */
export const LOAD_SHARE: Readonly<Record<Level, Readonly<{ least: number; most: number }>>> = {
  beginner: { least: 0.4, most: 0.5 },
  intermediate: { least: 0.65, most: 0.8 },
  rx: { least: 1, most: 1 },
};

/** What a user may own. A movement names all equipment that it needs; a bodyweight movement needs none. */
export type Equipment = (typeof EQUIPMENT)[number];

/** Every piece of equipment in the catalogue, in a fixed order; the payload of a job allows the same. */
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
export type Exclusion = (typeof EXCLUSIONS)[number];

/** Every tag that a profile may exclude, in a fixed order; the payload of a job allows the same. */
export const EXCLUSIONS = ['grip-heavy', 'impact', 'inverted', 'overhead'] as const;
