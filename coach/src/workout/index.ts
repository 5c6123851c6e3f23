/** The workout of the day: what the rest of the coach may use. */

export { generateWorkout } from './generateWorkout.ts';
export { EQUIPMENT, EXCLUSIONS, LEVELS, type User } from './user.ts';
export type { Workout } from './workout.ts';
