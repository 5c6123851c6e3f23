/** The workout of the day: what the rest of the coach may use. */

export type { Finding, Rule } from './checkWorkout.ts';
export { checkWorkout } from './checkWorkout.ts';
export type { Equipment } from './equipment.ts';
export { EQUIPMENT } from './equipment.ts';
export { GENERATOR_VERSION, generateWorkout } from './generateWorkout.ts';
export type { Level } from './level.ts';
export { LEVELS } from './level.ts';
export type { Member } from './member.ts';
export type { Tag } from './tag.ts';
export { TAGS } from './tag.ts';
export type { Workout } from './workout.ts';
