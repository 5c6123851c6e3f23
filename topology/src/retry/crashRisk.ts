/** How often a message crashed its worker: estimated from the broker's delivery counts, which differ between releases. */
import { type BrokerProfile, isAtLeast } from '../plan/brokerProfile.ts';
import { tierOfKey } from '../plan/names.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import { deliveryCount, type Headers, rejectionCount } from './xDeath.ts';

/** What an estimate of crashes is made from. */
export interface RedeliveryEvidence {
  /** Headers as delivered. */
  readonly headers: Headers;
  /** Routing key as delivered. */
  readonly routingKey: string;
  /**
   * The broker's redelivered flag. Every release sets it together with its count (measured on 3.10.8, 4.0.5, 4.3.6), so a
   * count without the flag was written by a client and is ignored.
   */
  readonly isRedelivered: boolean;
}

/**
 * The estimate is never too high, except that up to 4.2 a message counts one more that a stopping worker requeued, or that
 * the broker was about to send when its consumer was cancelled: it takes back one to three at each basic.cancel under load
 * (measured on 3.10.8 and 4.0.5). On 4.0 to 4.2 it rises late, because the broker's count drops after a crash (measured on
 * 4.0.5).
 * @returns 0 for the native back end, whose count includes failed attempts; 1 for every redelivery of a classic queue, which
 * does not count.
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
  // Before 4.0 the count begins at 0 in each queue, and from 4.3 on it leaves rejections out (measured).
  const includesRejections = isAtLeast(broker, '4.0.0') && !isAtLeast(broker, '4.3.0');
  if (!includesRejections) return count;
  // At most the tier of the key: the broker chooses the key, but a client may have sent the x-death.
  const rejections = Math.min(
    rejectionCount(kind.queue, headers),
    tierOfKey(kind, routingKey) ?? 0,
  );
  return Math.max(0, count - rejections);
}

/**
 * How much care a delivery needs. A process that ended while it held the message counts as a crash, whatever ended it.
 * - `none`: no crash.
 * - `redelivered`: one crash. A restarted broker causes one for every message, so the message is not suspected.
 * - `suspect`: several crashes, so this message may have caused them.
 * - `nearLimit`: after one or two further crashes, whatever causes them, the broker dead-letters the message.
 */
export type CrashRisk = 'none' | 'redelivered' | 'suspect' | 'nearLimit';

const SUSPECT_FROM_CRASHES = 2;

/**
 * @param redeliveriesWithoutCrash how many of these redeliveries followed a lost connection (up to 4.2: or a requeue) while
 * this process continued to run. They do not make the message a suspect, but the broker counts them against the limit.
 * @returns how much care a delivery needs: see `Quarantine`.
 */
export function crashRisk(
  broker: BrokerProfile,
  kind: PlannedKind,
  evidence: RedeliveryEvidence,
  redeliveriesWithoutCrash: number,
): CrashRisk {
  const crashes = crashesOf(broker, kind, evidence);
  if (crashes === 0) return 'none';
  if (kind.queueType === 'classic') return redeliveriesWithoutCrash > 0 ? 'none' : 'suspect';
  // The broker compares its own count with the limit, so no rejections are subtracted here.
  if (deliveryCount(evidence.headers) >= nearLimitFrom(kind.crashLimit)) return 'nearLimit';
  const unexplained = crashes - redeliveriesWithoutCrash;
  if (unexplained <= 0) return 'none';
  return unexplained >= SUSPECT_FROM_CRASHES ? 'suspect' : 'redelivered';
}

/**
 * One crash is left in reserve, because a message also counts one when another message crashes the process; a small limit
 * leaves no reserve.
 */
function nearLimitFrom(crashLimit: number): number {
  return Math.min(crashLimit, Math.max(SUSPECT_FROM_CRASHES, crashLimit - 1));
}
