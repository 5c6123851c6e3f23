/** Seeded random choices, the same on every machine (rule W8). */
import { hash } from 'node:crypto';

export interface Random {
  /** @returns one item of a list. */
  pick<T>(items: readonly [T, ...T[]]): T;
  /** Removes one item from the list. @returns it; undefined if the list is empty. */
  take<T>(rest: T[]): T | undefined;
  /** @returns a shuffled copy; it depends on the order of `items`, which must be the same on every machine. */
  shuffled<T>(items: readonly T[]): T[];
}

/**
 * @returns 128 bits as 32 hexadecimal digits. The inputs are hashed as JSON, because plain joining would give ('a', 'b1') and ('ab', '1')
 * the same seed.
 */
export function seedOf(userId: string, date: string, version: number): string {
  return hash('sha256', JSON.stringify([userId, date, version]), 'hex').slice(0, 32);
}

/** The generator sfc32 (small fast counter, 128 bits of state). */
export function createRandom(seed: string): Random {
  const next = sfc32(seed);
  const below = (bound: number): number => Math.floor((next() / 2 ** 32) * bound);
  const take = <T>(rest: T[]): T | undefined =>
    rest.length === 0 ? undefined : rest.splice(below(rest.length), 1)[0];
  return {
    pick: (items) => items[below(items.length)] ?? items[0],
    take,
    shuffled: (items) => {
      const rest = [...items];
      return items.flatMap(() => take(rest) ?? []);
    },
  };
}

function sfc32(seed: string): () => number {
  const word = (index: number): number => Number.parseInt(seed.slice(index * 8, index * 8 + 8), 16);
  let [a, b, c, counter] = [word(0) | 0, word(1) | 0, word(2) | 0, word(3) | 0];
  return () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
}

/**
 * @returns a copy sorted by code unit. Locale-dependent sorting would give different workouts on different machines (rule W8).
 */
export function sortedById<T extends Readonly<{ id: string }>>(items: readonly T[]): T[] {
  return [...items].sort((left, right) => compare(left.id, right.id));
}

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
