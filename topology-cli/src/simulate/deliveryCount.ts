/** The broker's count of ended deliveries, and what it does with it: the one place that tells its lines apart. */

import type { QueuePlan, TopologyPlan } from '@fit/topology';
import { type BrokerProfile, isAtLeast } from '@fit/topology';

/**
 * The count that is held against the delivery limit, after the message was dead-lettered and came back.
 * From 4.3 on a rejection leaves it as it is: crashes add up over the whole life of a message (measured on 4.3.6: three
 * crashes, a reject, then the third crash at the next tier is the sixth). Before, it begins anew at each hop: 3.10 sets it
 * to nothing; 4.0.5 shows a count that holds the rejections, but restarts at 1 with the hop's first crash (measured).
 */
export function countAfterDeath(broker: BrokerProfile, count: number): number {
  return isAtLeast(broker, '4.3.0') ? count : 0;
}

/** @returns how many deliveries may end without an answer; undefined where nothing limits them (classic queues). */
export function crashLimitOf(plan: TopologyPlan, queue: QueuePlan): number | undefined {
  if (queue.arguments['x-queue-type'] !== 'quorum') return undefined;
  const policy = plan.policies.find(({ pattern }) => new RegExp(pattern).test(queue.name));
  const limit = queue.arguments['x-delivery-limit'] ?? policy?.definition['delivery-limit'];
  return typeof limit === 'number' && limit >= 0 ? limit : undefined;
}

/**
 * How long the queue itself holds a returned message back: min(shortest × count, longest), for a failed attempt and a
 * crash alike (measured on 4.3.6). 0 where it has no delayed retry.
 * @param count deliveries that are over, this one included.
 */
export function returnDelayMs(queue: QueuePlan, count: number): number {
  const shortestMs = Number(queue.arguments['x-delayed-retry-min'] ?? 0);
  const longestMs = Number(queue.arguments['x-delayed-retry-max'] ?? 0);
  return Math.min(shortestMs * count, longestMs);
}
