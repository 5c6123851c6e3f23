/** Positions in the order of users' ids, and texts that name a user. Pure. */

/**
 * @returns the position just before a user: no id that a user can have lies between the two, and no user can have it as the id, because
 * ids have no `~`, which sorts behind all of their characters.
 */
export function boundaryBefore(userId: string): string {
  return `${userId.slice(0, -1)}${String.fromCharCode(userId.charCodeAt(userId.length - 1) - 1)}~`;
}

/** @returns whether a JSON text has the id as a value of its own, also where the JSON is quoted within another one. */
export function namesUser(text: string, userId: string): boolean {
  return text.includes(`"${userId}"`) || text.includes(`\\"${userId}\\"`);
}
