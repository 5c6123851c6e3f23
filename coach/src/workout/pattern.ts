/** The way a movement moves the body; warm-up and cool-down are chosen by it. */
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
