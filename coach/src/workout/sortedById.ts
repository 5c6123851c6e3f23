/**
 * A sorted copy, by code unit. Every draw starts from one, so that the order in which data or a
 * profile happens to be written never changes a workout; locale sorting would (rule W8).
 */
export function sortedById<T extends Readonly<{ id: string }>>(items: readonly T[]): T[] {
  return [...items].sort((left, right) => compare(left.id, right.id));
}

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
