/** How often a message took its worker with it: estimated from the broker's counts, which differ from line to line. */

import { type BrokerProfile, isAtLeast } from '../plan/brokerProfile.ts';
import { tierOfKey } from '../plan/names.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import { deliveryCount, type Headers, rejectionCount } from './attempt.ts';

/** What a crash estimate is made of. */
export interface RedeliveryEvidence {
  readonly headers: Headers;
  readonly routingKey: string;
  /**
   * The broker's own mark. Every line sets it together with its count (measured on 3.10.8, 4.0.5, 4.3.6), so without it
   * a count is a client's and says nothing.
   */
  readonly isRedelivered: boolean;
}

/**
 * Never more than there were, save for a message that a stopping worker gave back, which counts up to 4.2. Later than
 * there were on 4.0 to 4.2, where the count drops after a crash (measured on 4.0.5).
 * @returns 0 for the native back end, whose count holds failed attempts as well; 1 for whatever a classic queue delivers
 * again, since it does not count.
 */
export function crashesOf(
  broker: BrokerProfile,
  kind: PlannedKind,
  evidence: RedeliveryEvidence,
): number {
  const { headers, routingKey, isRedelivered } = evidence;
  if (kind.backend === 'native' || !isRedelivered) return 0;
  if (kind.queueType === 'classic') return 1;
  const count = deliveryCount(headers);
  // Before 4.0 the count begins anew at each hop, from 4.3 on it holds no rejections (measured).
  const holdsRejections = isAtLeast(broker, '4.0.0') && !isAtLeast(broker, '4.3.0');
  if (!holdsRejections) return count;
  // Not more than the key says: the broker chooses the key, while x-death may be what a client sent.
  const rejections = Math.min(
    rejectionCount(kind.queue, headers),
    tierOfKey(kind, routingKey) ?? 0,
  );
  return Math.max(0, count - rejections);
}

/**
 * sound: never held at the end of another process. returned: held at the end of one, as everything is that a restarted
 * broker takes back from others, so it is no suspect. suspect: held at the end of several, so it may be what ended them.
 * lastChance: one or two crashes more, whoever's fault, and the broker dead-letters it.
 */
export type CrashRisk = 'none' | 'returned' | 'suspect' | 'nearLimit';

const SUSPECT_FROM_CRASHES = 2;

/**
 * How a delivery is to be taken: with the others, a few at a time, or with nothing beside it.
 * @param survivedCount how many of the crashes this very process knows to have been a lost connection of its own. They
 * make no suspect, but the broker counts them against the limit all the same.
 */
export function crashRisk(
  broker: BrokerProfile,
  kind: PlannedKind,
  evidence: RedeliveryEvidence,
  survivedCount: number,
): CrashRisk {
  const crashes = crashesOf(broker, kind, evidence);
  if (crashes === 0) return 'none';
  if (kind.queueType === 'classic') return survivedCount > 0 ? 'none' : 'suspect';
  // The raw count, because it is what the broker compares with the limit.
  if (deliveryCount(evidence.headers) >= lastChanceFrom(kind.crashLimit)) return 'nearLimit';
  const unexplained = crashes - survivedCount;
  if (unexplained <= 0) return 'none';
  return unexplained >= SUSPECT_FROM_CRASHES ? 'suspect' : 'returned';
}

/** One crash is left over for those that are held beside one of them; where the limit is small there is no room for it. */
function lastChanceFrom(crashLimit: number): number {
  return Math.min(crashLimit, Math.max(SUSPECT_FROM_CRASHES, crashLimit - 1));
}
