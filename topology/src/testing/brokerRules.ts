/** What RabbitMQ does to a message in a queue, as pure functions by its version: counts, headers of a death, limits. */
import { type BrokerProfile, isAtLeast } from '../plan/brokerProfile.ts';
import type { QueuePlan, TopologyPlan } from '../plan/topologyPlan.ts';
import type { DeathReason } from '../proof/routes.ts';
import { type DeathRecord, type Headers, readDeaths } from '../retry/xDeath.ts';

/** How a delivery came back to its queue: `failed` after a crash or `basic.reject`, `requeued` after `basic.nack`. */
export type MessageReturn = 'failed' | 'requeued';

/** How often a message came back, in its present queue and in those before. */
export interface ReturnCounts {
  /** Failed returns to this queue. */
  readonly failedCount: number;
  /** All returns to this queue. */
  readonly returnedCount: number;
  /** What the message brought along from earlier queues: failed returns, and from 4.3 on all returns. */
  readonly broughtFailedCount: number;
  readonly broughtReturnedCount: number;
}

/** Counts of a message that was just published. */
export const NO_RETURNS: ReturnCounts = Object.freeze({
  failedCount: 0,
  returnedCount: 0,
  broughtFailedCount: 0,
  broughtReturnedCount: 0,
});

/** @returns the counts after one more return to the same queue. */
export function countReturn(counts: ReturnCounts, type: MessageReturn): ReturnCounts {
  return {
    ...counts,
    failedCount: counts.failedCount + (type === 'failed' ? 1 : 0),
    returnedCount: counts.returnedCount + 1,
  };
}

/**
 * Before 4.0 a message brings nothing along. Up to 4.2 its rejection counts as a failed return; from 4.3 on it does not
 * (measured on 3.10.8, 4.0.5 and 4.3.6).
 * @returns the counts of a message that died, in its next queue.
 */
export function countsAfterDeath(
  broker: BrokerProfile,
  counts: ReturnCounts,
  reason: DeathReason,
): ReturnCounts {
  if (!isAtLeast(broker, '4.0.0')) return NO_RETURNS;
  const countsRejection = reason === 'rejected' && !isAtLeast(broker, '4.3.0');
  return {
    ...NO_RETURNS,
    broughtFailedCount: counts.broughtFailedCount + counts.failedCount + (countsRejection ? 1 : 0),
    broughtReturnedCount: counts.broughtReturnedCount + counts.returnedCount,
  };
}

/** @returns what a quorum queue compares with its delivery limit: from 4.3 on failed returns of the message's whole life. */
export function countAgainstLimit(broker: BrokerProfile, counts: ReturnCounts): number {
  return isAtLeast(broker, '4.3.0')
    ? counts.broughtFailedCount + counts.failedCount
    : counts.returnedCount;
}

/** What the broker tells a consumer about earlier deliveries. */
export interface RedeliveryMarks {
  readonly isRedelivered: boolean;
  /** `x-delivery-count` and `x-acquired-count`, as far as this version writes them. */
  readonly headers: Headers;
}

/** @returns the marks of the next delivery; a classic queue only has the flag. */
export function redeliveryMarks(
  broker: BrokerProfile,
  queue: QueuePlan,
  counts: ReturnCounts,
): RedeliveryMarks {
  if (!isQuorum(queue)) return { isRedelivered: counts.returnedCount > 0, headers: {} };
  if (!isAtLeast(broker, '4.3.0')) {
    // The count of this queue hides the one that was brought along (measured on 4.0.5).
    const count = counts.returnedCount > 0 ? counts.returnedCount : counts.broughtFailedCount;
    return { isRedelivered: count > 0, headers: positive('x-delivery-count', count) };
  }
  const failedCount = counts.broughtFailedCount + counts.failedCount;
  const acquiredCount =
    counts.returnedCount > 0 ? counts.returnedCount : counts.broughtReturnedCount;
  return {
    isRedelivered: failedCount > 0 || acquiredCount > 0,
    headers: {
      ...positive('x-delivery-count', failedCount),
      ...positive('x-acquired-count', acquiredCount),
    },
  };
}

function positive(name: string, count: number): Headers {
  return count > 0 ? { [name]: count } : {};
}

/** A death that is written into the headers of a message. */
export interface Death {
  readonly queue: string;
  readonly reason: DeathReason;
  /** Exchange and routing key of the message before it died. */
  readonly exchange: string;
  readonly key: string;
  readonly at: Date;
}

/** @returns the headers of a message after a death, as this version writes them. */
export function headersAfterDeath(broker: BrokerProfile, headers: Headers, death: Death): Headers {
  const { queue, reason, exchange } = death;
  return {
    ...headers,
    'x-death': deathRecords(broker, headers, death),
    'x-first-death-queue': headers['x-first-death-queue'] ?? queue,
    'x-first-death-reason': headers['x-first-death-reason'] ?? reason,
    'x-first-death-exchange': headers['x-first-death-exchange'] ?? exchange,
    ...(isAtLeast(broker, '3.13.0')
      ? {
          'x-last-death-queue': queue,
          'x-last-death-reason': reason,
          'x-last-death-exchange': exchange,
        }
      : {}),
  };
}

function deathRecords(
  broker: BrokerProfile,
  headers: Headers,
  { queue, reason, exchange, key, at }: Death,
): Headers[] {
  const records = (headers['x-death'] ?? []) as readonly Headers[];
  const isSame = (record: Headers) => record['queue'] === queue && record['reason'] === reason;
  // Time, exchange and keys stay those of the first such death.
  const earlier = records.find(isSame) ?? {
    queue,
    reason,
    count: 0,
    exchange,
    time: { '!': 'timestamp', value: Math.floor(at.getTime() / 1_000) },
    'routing-keys': [key],
  };
  // Before 3.13 each death reverses the others (measured on 3.10.8); later versions write the newest first.
  const inOrder = isAtLeast(broker, '3.13.0') ? records : records.toReversed();
  const others = inOrder.filter((record) => !isSame(record));
  return [{ ...earlier, count: Number(earlier['count']) + 1 }, ...others];
}

/** @returns the reason that a headers exchange compares: before 3.13 the broker names only the first death. */
export function reasonInHeaders(headers: Headers): DeathReason {
  return (headers['x-last-death-reason'] ?? headers['x-first-death-reason']) as DeathReason;
}

/** @returns true if the broker drops or keeps the message: it returns to a queue in which it died, with no rejection since. */
export function isCycle(headers: Headers, queue: string): boolean {
  const deaths: readonly DeathRecord[] = readDeaths(headers);
  const index = deaths.findIndex((death) => death.queue === queue);
  return index >= 0 && deaths.slice(0, index + 1).every(({ reason }) => reason !== 'rejected');
}

/** @returns true for a quorum queue. */
export function isQuorum(queue: QueuePlan): boolean {
  return queue.arguments['x-queue-type'] === 'quorum';
}

/** @returns true if the queue keeps a message that its next queue does not take, and tries again later. */
export function isAtLeastOnce(queue: QueuePlan): boolean {
  return queue.arguments['x-dead-letter-strategy'] === 'at-least-once';
}

/** @returns how many deliveries may end unsettled; undefined if nothing limits them (classic queues). */
export function crashLimitOf(plan: TopologyPlan, queue: QueuePlan): number | undefined {
  if (!isQuorum(queue)) return undefined;
  const limit = queue.arguments['x-delivery-limit'] ?? policyOf(plan, queue)['delivery-limit'];
  return typeof limit === 'number' && limit >= 0 ? limit : undefined;
}

/** @returns how many messages may be ready; undefined if nothing limits them. */
export function lengthLimitOf(plan: TopologyPlan, queue: QueuePlan): number | undefined {
  const limit = queue.arguments['x-max-length'] ?? policyOf(plan, queue)['max-length'];
  return typeof limit === 'number' ? limit : undefined;
}

function policyOf(plan: TopologyPlan, queue: QueuePlan): Readonly<Record<string, number>> {
  return (
    plan.policies.find(({ pattern }) => new RegExp(pattern).test(queue.name))?.definition ?? {}
  );
}

/**
 * A queue that refuses publishes does so once it has more than its limit, until it has at most four fifths of it (measured
 * on 3.10.8, 4.0.5 and 4.3.6, one publish at a time; a burst gets further).
 * @returns true if it refuses the next publish.
 */
export function refusesPublish(wasRefusing: boolean, readyCount: number, limit: number): boolean {
  return readyCount > (wasRefusing ? Math.trunc(limit * ACCEPTED_SHARE) : limit);
}

const ACCEPTED_SHARE = 0.8;

/**
 * @param count failed returns, this one included.
 * @returns how long a queue with delayed retry holds a message back: min(shortest × count, longest), after a failed attempt
 * and after a crash alike (measured on 4.3.6); 0 if the queue has no delayed retry.
 */
export function requeueDelayMs(queue: QueuePlan, count: number): number {
  const shortestMs = Number(queue.arguments['x-delayed-retry-min'] ?? 0);
  const longestMs = Number(queue.arguments['x-delayed-retry-max'] ?? 0);
  return Math.min(shortestMs * count, longestMs);
}

/** Milliseconds until the broker again offers a dead letter that a full queue refused (its default, measured on 4.0.5). */
export const REFUSED_DEAD_LETTER_RETRY_MS = 180_000;
