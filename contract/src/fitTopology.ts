/** The one declaration that FIT runs, in its two profiles. */
import { type Declaration, type Duration, declareTopology, type KindOptions } from '@fit/topology';

export const PROFILES = ['default', 'assignment'] as const;
export type Profile = (typeof PROFILES)[number];
export type FitKind = 'createWod';
export type FitDeclaration = Declaration<Readonly<Record<FitKind, KindOptions>>>;

export interface FitTopologyOptions {
  readonly profile: Profile;
  /** Waits between attempts; default 5 s, 30 s, 120 s. Both processes must be given the same. */
  readonly tiers?: readonly Duration[];
  /** Limit of the main queue; default 10,000, under the assignment 100. */
  readonly maxLength?: number;
}

/** With it a tenth of the limit is kept for what comes back, and more: see `returnCapacity`. */
const LOAD = { perSecond: 500, failureRatio: 0.2 };

const TIERS: readonly Duration[] = ['5s', '30s', '120s'];

/**
 * `assignment` keeps that text's two traps: messages expire after 60 s in the queue, and a full queue of 100 drops its
 * oldest. Both end in the dead-letter queue, and both are told apart from a failure.
 * @throws TopologyError `DECLARATION_INVALID`, for instance for tiers that do not rise.
 */
export function fitTopology(options: FitTopologyOptions): FitDeclaration {
  const isAssignment = options.profile === 'assignment';
  return declareTopology({
    exchange: 'jobs',
    kinds: {
      createWod: {
        key: 'job.createWod',
        queue: 'createWodQueue',
        tiers: options.tiers ?? TIERS,
        maxLength: options.maxLength ?? (isAssignment ? 100 : 10_000),
        // A limit that was set by hand was set for another load.
        ...(isAssignment || options.maxLength !== undefined ? {} : { load: LOAD }),
        ...(isAssignment ? { messageTtl: '60s', unsafe: ['drop-head'] } : {}),
      },
    },
  });
}
