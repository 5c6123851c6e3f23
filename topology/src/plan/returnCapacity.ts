/** How much of a main queue's limit is spoken for before anything is published: what waits in the tiers comes back. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';

/** Counts of messages, in the steady state of the declared load. */
export interface ReturnCapacity {
  /** Messages in each tier in the steady state: rate × failureRatio^tier × wait (Little's law). */
  readonly waitingCounts: readonly number[];
  /** Their sum, rounded up; 0 without a declared load. */
  readonly reservedCount: number;
  /** What publishers may fill: the limit less the reserve. Not above 0: bounces alone can fill the queue. */
  readonly producerLimit: number;
}

/**
 * A bounce that meets a full queue is held in its wait queue, and the broker tries again only after three minutes
 * (measured, 4.0.5): so publishers leave room for what will come back.
 */
export function returnCapacity(
  kind: Pick<KindDeclaration, 'load' | 'tiersMs' | 'maxLength'>,
): ReturnCapacity {
  const { perSecond, failureRatio } = kind.load ?? { perSecond: 0, failureRatio: 0 };
  const waitingCounts = kind.tiersMs.map(
    (tierMs, index) => (perSecond * failureRatio ** (index + 1) * tierMs) / 1_000,
  );
  const reservedCount = Math.ceil(waitingCounts.reduce((sum, count) => sum + count, 0));
  return { waitingCounts, reservedCount, producerLimit: kind.maxLength - reservedCount };
}
