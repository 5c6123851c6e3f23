/** How often a message took its worker with it: estimated from the broker's counts, which differ from line to line. */
import { type BrokerProfile, isAtLeast } from '../plan/brokerProfile.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import { deliveryCount, type Headers, rejectionCount } from './attempt.ts';

/** What a crash estimate is made of. */
export interface Evidence {
  readonly headers: Headers;
  readonly isRedelivered: boolean;
}

/**
 * Never more than there were, save for a message that a stopping worker gave back, which counts up to 4.2. Later than
 * there were on 4.0 to 4.2, where the count drops after a crash (measured on 4.0.5).
 * @returns 0 for the native back end, whose count holds failed attempts as well.
 */
export function crashesOf(broker: BrokerProfile, kind: PlannedKind, headers: Headers): number {
  if (kind.backend === 'native') return 0;
  const count = deliveryCount(headers);
  // Before 4.0 the count begins anew at each hop, so there is nothing of the rejections in it.
  if (!isAtLeast(broker, '4.0.0')) return count;
  return Math.max(0, count - rejectionCount(kind.queue, headers));
}

/**
 * Whether the message may have ended a worker, and had better run alone. A lost connection looks the same.
 * From 4.0 to 4.2 a plain retry is marked as redelivered too (measured on 4.0.5), so the mark alone says nothing there.
 */
export function isSuspect(broker: BrokerProfile, kind: PlannedKind, evidence: Evidence): boolean {
  if (kind.backend === 'native') return false;
  if (crashesOf(broker, kind, evidence.headers) > 0) return true;
  const marksRetries = isAtLeast(broker, '4.0.0') && !isAtLeast(broker, '4.3.0');
  const isFirstAttempt = rejectionCount(kind.queue, evidence.headers) === 0;
  return evidence.isRedelivered && (!marksRetries || isFirstAttempt);
}
