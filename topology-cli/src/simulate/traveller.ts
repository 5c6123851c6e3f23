/** A message on its way through a plan, with the headers that the broker would write on it. */

import type { TopologyPlan } from '@fit/topology';
import {
  afterDeath,
  type Death,
  type DeathReason,
  deliveryCount,
  type Headers,
  isAtLeast,
  type MessagePosition,
  readDeaths,
} from '@fit/topology';
import { countAfterDeath } from './deliveryCount.ts';

/** Pure data: a step makes a new one. */
export interface Traveller extends MessagePosition {
  readonly headers: Headers;
}

/**
 * Dies where it is, and arrives where the plan sends it.
 * @returns undefined where no queue takes it, or where the broker sees a cycle: then it is dropped, or held for ever.
 */
export function die(
  plan: TopologyPlan,
  traveller: Traveller,
  reason: DeathReason,
): Traveller | undefined {
  const headers = headersAfterDeath(plan, traveller, reason);
  // Before 3.13 the broker tells of the first death alone, so it is this one that the bindings compare.
  const told = headers['x-last-death-reason'] ?? headers['x-first-death-reason'];
  const [next] = afterDeath(plan, traveller, told as DeathReason);
  return next === undefined || isCycle(readDeaths(headers), next.queue)
    ? undefined
    : { ...next, headers };
}

/** The delivery ended without an answer, or as failed: the broker counts it. */
export function comeBack(traveller: Traveller): Traveller {
  const count = deliveryCount(traveller.headers) + 1;
  return { ...traveller, headers: { ...traveller.headers, 'x-delivery-count': count } };
}

function headersAfterDeath(
  plan: TopologyPlan,
  { queue, headers }: Traveller,
  reason: DeathReason,
): Headers {
  const deaths = readDeaths(headers);
  const isSame = (death: Death) => death.queue === queue && death.reason === reason;
  const count = (deaths.find(isSame)?.count ?? 0) + 1;
  const last = { 'x-last-death-queue': queue, 'x-last-death-reason': reason };
  return {
    ...headers,
    'x-death': [{ queue, reason, count }, ...deaths.filter((death) => !isSame(death))],
    'x-first-death-reason': headers['x-first-death-reason'] ?? reason,
    ...(isAtLeast(plan.broker, '3.13.0') ? last : {}),
    'x-delivery-count': countAfterDeath(plan.broker, deliveryCount(headers)),
  };
}

/** The broker's rule: back in a queue that it died in, with no rejection since (RabbitMQ, dead letter exchanges). */
function isCycle(newestFirst: readonly Death[], queue: string): boolean {
  const index = newestFirst.findIndex((death) => death.queue === queue);
  return index >= 0 && newestFirst.slice(0, index + 1).every(({ reason }) => reason !== 'rejected');
}
