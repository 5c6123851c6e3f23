/** The workout of the day: what the rest of the coach may use. */

export { generateWorkout } from './generateWorkout.ts';
export { EQUIPMENT, LEVELS, TAGS, type User } from './user.ts';
export type { Workout } from './workout.ts';
