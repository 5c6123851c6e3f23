/** Seeded random choices, the same on every machine (rule W8). */
import { hash } from 'node:crypto';

export interface Random {
  /** @returns one item of a list. */
  pick<T>(items: readonly [T, ...T[]]): T;
  /** @returns a shuffled copy. The order of `items` does not matter, because they are sorted by id first. */
  shuffled<T extends Readonly<{ id: string }>>(items: readonly T[]): T[];
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
  return {
    pick: (items) => items[below(items.length)] ?? items[0],
    shuffled: (items) => {
      const rest = sortedById(items);
      const drawn: typeof rest = [];
      while (rest.length > 0) drawn.push(...rest.splice(below(rest.length), 1));
      return drawn;
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
