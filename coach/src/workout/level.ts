/** How far a member has come; `rx` is the workout as prescribed, before scaling. */
export type Level = (typeof LEVELS)[number];

/** One number for each level. */
export type ByLevel = Readonly<Record<Level, number>>;

/** Every level, from the easiest to the hardest. */
export const LEVELS = ['beginner', 'intermediate', 'rx'] as const;

/** The highest skill tier (1–5) that a level may be given (rule W2). To be set with a coach. */
export const HIGHEST_TIER: ByLevel = { beginner: 2, intermediate: 3, rx: 5 };

/** From this tier (1–5) on a movement is high-skill, and a workout holds one at most (rule W4). */
export const HIGH_SKILL_TIER = 4;

/** Shares of the Rx load that a level may lift, both bounds included (rule W7). */
export const LOAD_SHARE: Readonly<Record<Level, Readonly<{ least: number; most: number }>>> = {
  beginner: { least: 0.4, most: 0.5 },
  intermediate: { least: 0.65, most: 0.8 },
  rx: { least: 1, most: 1 },
};
