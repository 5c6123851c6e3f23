/** What an injury excludes from workouts (rule W3). A first estimate, to be reviewed by a trainer. */
import type { Exclusion } from './user.ts';

/** A part of the body that hurts or heals. */
export type Injury = (typeof INJURIES)[number];

/** Every injury that a profile may name, in a fixed order. */
export const INJURIES = [
  'ankle',
  'back',
  'elbow',
  'hip',
  'knee',
  'neck',
  'shoulder',
  'wrist',
] as const;

const EXCLUDED_BY: Readonly<Record<Injury, readonly Exclusion[]>> = {
  ankle: ['impact'],
  back: ['impact', 'inverted'],
  elbow: ['grip-heavy', 'inverted', 'overhead'],
  hip: ['impact'],
  knee: ['impact'],
  neck: ['inverted', 'overhead'],
  shoulder: ['inverted', 'overhead'],
  wrist: ['grip-heavy', 'inverted'],
};

/** @returns the tags that the user excludes and those that the injuries exclude, each once, sorted. */
export function withInjuries(
  exclusions: readonly Exclusion[],
  injuries: readonly Injury[],
): Exclusion[] {
  return [...new Set([...exclusions, ...injuries.flatMap((each) => EXCLUDED_BY[each])])].sort();
}
