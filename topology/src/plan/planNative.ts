/** Retry by the broker itself (RabbitMQ from 4.3.1 on): one queue, which delays a returned message. */
import { type BrokerProfile, isAtLeast } from './brokerProfile.ts';
import { directKey, parkExchange, returnExchange } from './names.ts';
import { AT_LEAST_ONCE, limitArguments } from './planTiers.ts';
import type { KindPlan, PlannedKind } from './topologyPlan.ts';

/** @returns true from 4.3.1 on; 4.3.0 refuses the arguments (measured). */
export function hasNativeRetry(broker: BrokerProfile): boolean {
  return isAtLeast(broker, '4.3.1');
}

/** @returns true for tiers that native retry can do: the broker's delay after the n-th return is min(first × n, longest). */
export function isLinear(tiersMs: readonly number[]): boolean {
  const [firstMs = 0] = tiersMs;
  const longestMs = Math.max(...tiersMs);
  return tiersMs.every((tierMs, index) => tierMs === Math.min(firstMs * (index + 1), longestMs));
}

/**
 * Every death in the main queue is final: a failed attempt is returned (`basic.reject` with requeue, which counts as failed),
 * the last attempt is rejected, and only crashes reach the delivery limit.
 */
export function planNative(kind: PlannedKind, broker: BrokerProfile): KindPlan {
  return {
    // The queue returns messages by itself; the exchange only takes those that are meant for this queue alone.
    exchanges: [
      { name: returnExchange(kind.queue), type: 'direct', alternate: parkExchange(kind.queue) },
    ],
    queues: [
      {
        name: kind.queue,
        role: 'main',
        kind: kind.kind,
        tier: 0,
        arguments: {
          'x-queue-type': 'quorum',
          'x-dead-letter-exchange': parkExchange(kind.queue),
          ...AT_LEAST_ONCE,
          'x-delayed-retry-type': 'failed',
          'x-delayed-retry-min': kind.tiersMs[0] ?? 0,
          'x-delayed-retry-max': Math.max(...kind.tiersMs),
          ...(kind.messageTtlMs === undefined ? {} : { 'x-message-ttl': kind.messageTtlMs }),
          ...limitArguments(kind, broker),
        },
        maxLength: kind.maxLength,
        ttlMs: kind.messageTtlMs,
      },
    ],
    bindings: [
      {
        exchange: returnExchange(kind.queue),
        queue: kind.queue,
        key: directKey(kind),
        arguments: {},
      },
    ],
  };
}
