/** Return capacity: the share of a main queue's limit that is kept for messages that come back from their wait queues. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';

/** Numbers of messages in the steady state of the declared load. */
export interface ReturnCapacity {
  /** Messages in each tier: rate × failureRatio^tier × wait (Little's law). */
  readonly waitingCounts: readonly number[];
  /** Sum over all tiers, rounded up; 0 without a declared load. */
  readonly reservedCount: number;
  /** Messages that publishers may fill: the limit less `reservedCount`. Not above 0 if returning messages alone fill the queue. */
  readonly producerLimit: number;
}

/**
 * A message that returns to a full main queue awaits transfer in its wait queue, and the broker tries again only after three
 * minutes (measured, 4.0.5). So publishers leave capacity for returning messages.
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
