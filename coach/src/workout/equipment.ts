/** What a member may own. A movement names the whole set that it needs; bodyweight needs none. */
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
