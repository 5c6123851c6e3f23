/** Named priorities of a queue, and the numbers by which the broker orders its messages. */

/** At most so many: each one delays those below it, and few are told apart by those who choose. */
export const MOST_PRIORITIES = 5;

/**
 * The priority that a quorum queue gives messages without one (measured on 4.3.6). From 4.0 to 4.2 a queue has two levels,
 * up to this number and above it.
 */
export const DEFAULT_PRIORITY = 4;

/** @returns the position of the default level: the middle one, or of an even number of levels the lower of the two in the middle. */
export function defaultLevel(priorities: readonly string[]): number {
  return Math.floor((priorities.length - 1) / 2);
}

/**
 * @param priorities from lowest to highest.
 * @returns the AMQP priority of a level, around that of messages without one; undefined for a name that is none of them.
 */
export function priorityNumber(priorities: readonly string[], name: string): number | undefined {
  const level = priorities.indexOf(name);
  return level < 0 ? undefined : DEFAULT_PRIORITY + level - defaultLevel(priorities);
}
