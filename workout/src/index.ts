/** The workout of the day: what the other workspaces may use. */

export { type CompactWorkout, GENERATOR_VERSION } from './compactWorkout.ts';
export { expandWorkout, UnreadableWorkout, type WorkoutKey } from './expandWorkout.ts';
export { generateCompactWorkout, generateWorkout } from './generateWorkout.ts';
export { INJURIES, withInjuries } from './injury.ts';
export { EQUIPMENT, EXCLUSIONS, LEVELS, type User } from './user.ts';
export type { Workout } from './workout.ts';
