/** The workout of the day: what the other workspaces may use. */

export { generateWorkout } from './generateWorkout.ts';
export { EQUIPMENT, EXCLUSIONS, LEVELS, type User } from './user.ts';
export type { Workout } from './workout.ts';
