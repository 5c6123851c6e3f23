/** Seeded users and days for the property tests; a seed gives the same sample each time. */

import type { User, Workout } from '../src/index.ts';
import { EQUIPMENT, EXCLUSIONS, generateWorkout, LEVELS } from '../src/index.ts';

export interface Sample {
  readonly seed: number;
  readonly user: User;
  readonly date: string;
}

export const SAMPLE_COUNT = 4000;

/** One user in eight owns no equipment and one in eight all of it; the levels alternate. */
export function sampleUser(seed: number): Sample {
  const chance = mulberry32(seed);
  const share = [0, 1, 0.1, 0.25, 0.4, 0.5, 0.6, 0.8][seed % 8] ?? 0;
  const equipment = EQUIPMENT.filter(() => chance() < share);
  const exclusions = EXCLUSIONS.filter(() => chance() < 0.25);
  const level = LEVELS[Math.floor(seed / 8) % LEVELS.length] ?? 'beginner';
  const day = new Date(Date.UTC(2026, 0, 1 + Math.floor(chance() * 730)));
  const user = { userId: `user-${String(seed)}`, level, equipment, exclusions };
  return { seed, user, date: day.toISOString().slice(0, 10) };
}

/** Calls `property` with every sample and its workout; a failure names the seed that repeats it. */
export function forEachSample(property: (workout: Workout, sample: Sample) => void): void {
  for (let seed = 0; seed < SAMPLE_COUNT; seed += 1) {
    const sample = sampleUser(seed);
    try {
      property(generateWorkout(sample.user, sample.date), sample);
    } catch (cause) {
      throw new Error(`sampleUser(${String(seed)}): ${String(cause)}`, { cause });
    }
  }
}

/** Not the generator of the product, so that a fault in it cannot hide in the samples. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
