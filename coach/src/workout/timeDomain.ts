/** Which band a duration belongs to; a scaled workout stays in the band of the Rx one (rule W7). */
import type { TimeDomain } from './workout.ts';

/** Seconds of work, both bounds included; a duration on a border counts as the shorter band. */
export const DOMAIN_SECONDS: Readonly<
  Record<TimeDomain, Readonly<{ least: number; most: number }>>
> = {
  short: { least: 0, most: 600 },
  medium: { least: 601, most: 1200 },
  long: { least: 1201, most: 1800 },
};

export function timeDomain(durationSeconds: number): TimeDomain {
  if (durationSeconds <= DOMAIN_SECONDS.short.most) return 'short';
  return durationSeconds <= DOMAIN_SECONDS.medium.most ? 'medium' : 'long';
}
