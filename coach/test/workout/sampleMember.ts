/** Seeded members and days for the property tests: a number repeats one exactly. */

import type { Member, Workout } from '../../src/workout/index.ts';
import { EQUIPMENT, generateWorkout, LEVELS, TAGS } from '../../src/workout/index.ts';

export interface Sample {
  readonly seed: number;
  readonly member: Member;
  readonly date: string;
}

export const SAMPLE_COUNT = 4000;

/** Every eighth member owns nothing, every other eighth everything; the levels take turns. */
export function sampleMember(seed: number): Sample {
  const chance = mulberry32(seed);
  const share = [0, 1, 0.1, 0.25, 0.4, 0.5, 0.6, 0.8][seed % 8] ?? 0;
  const equipment = EQUIPMENT.filter(() => chance() < share);
  const exclusions = TAGS.filter(() => chance() < 0.25);
  const level = LEVELS[Math.floor(seed / 8) % LEVELS.length] ?? 'beginner';
  const day = new Date(Date.UTC(2026, 0, 1 + Math.floor(chance() * 730)));
  const member = { userId: `user-${String(seed)}`, level, equipment, exclusions };
  return { seed, member, date: day.toISOString().slice(0, 10) };
}

/** Hands every sample and its workout to `property`; a failure names the seed that repeats it. */
export function forEachSample(property: (workout: Workout, sample: Sample) => void): void {
  for (let seed = 0; seed < SAMPLE_COUNT; seed += 1) {
    const sample = sampleMember(seed);
    try {
      property(generateWorkout(sample.member, sample.date), sample);
    } catch (cause) {
      throw new Error(`sampleMember(${String(seed)}): ${String(cause)}`, { cause });
    }
  }
}

/** A generator of its own, so that no fault of the one under test hides here. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
