/** Retry by tiers: a rejected message waits in the queue of its tier, whose TTL brings it back with the next routing key. */
import { SPREAD_HEADER, SPREADS, spreadMs } from '../retry/spread.ts';
import { type BrokerProfile, reasonHeader } from './brokerProfile.ts';
import {
  deadLetterExchange,
  deadLetterQueue,
  directKey,
  firstKeys,
  firstRetryExchange,
  parkExchange,
  patternsOf,
  retryExchange,
  returnExchange,
  spreadExchange,
  spreadQueue,
  tierKey,
  waitQueue,
} from './names.ts';
import type {
  BindingPlan,
  ExchangePlan,
  KindPlan,
  PlannedKind,
  QueuePlan,
} from './topologyPlan.ts';

/** Reasons of a death that lead to the dead-letter queue at once. Only a rejection is retried. */
export const FINAL_REASONS = ['delivery_limit', 'expired', 'maxlen'] as const;

export const AT_LEAST_ONCE = {
  'x-dead-letter-strategy': 'at-least-once',
  'x-overflow': 'reject-publish',
} as const;

export function planTiers(kind: PlannedKind, broker: BrokerProfile): KindPlan {
  return {
    exchanges: planExchanges(kind),
    queues: [
      ...kind.tiersMs.flatMap((_, index) => planWaitQueues(kind, index + 1)),
      planMainQueue(kind, broker),
    ],
    bindings: planBindings(kind, broker),
  };
}

function planExchanges(kind: PlannedKind): ExchangePlan[] {
  const { queue } = kind;
  const park = parkExchange(queue);
  const first = firstRetryExchange(queue);
  const hasPatterns = patternsOf(kind).length > 0;
  return [
    // Behind the retry exchange, because a pattern in it would also match keys of tiers, and duplicate their messages.
    ...(hasPatterns ? [{ name: first, type: 'topic' as const, alternate: park }] : []),
    { name: retryExchange(queue), type: 'direct', alternate: hasPatterns ? first : park },
    { name: returnExchange(queue), type: 'direct', alternate: park },
    // A headers exchange, because only the reason of the death distinguishes a rejection from a crash, an expiry or an overflow.
    { name: deadLetterExchange(queue), type: 'headers', alternate: retryExchange(queue) },
    // A message without the header, or with another value of it, returns after the delay itself.
    ...(kind.jitter === 0 ? [] : kind.tiersMs).map((_, index) => ({
      name: spreadExchange(kind, index + 1),
      type: 'headers' as const,
      alternate: returnExchange(queue),
    })),
  ];
}

/** With jitter, what a message waits beyond the delay of its tier it waits in a second queue. */
function planWaitQueues(kind: PlannedKind, tier: number): QueuePlan[] {
  const delayMs = kind.tiersMs[tier - 1] ?? 0;
  const back = returnExchange(kind.queue);
  if (kind.jitter === 0)
    return [planWaitQueue(kind, tier, { name: waitQueue(kind, tier), ttlMs: delayMs, next: back })];
  return [
    ...SPREADS.map((spread) =>
      planWaitQueue(kind, tier, {
        name: spreadQueue(kind, tier, spread),
        ttlMs: spreadMs(delayMs, kind.jitter, spread),
        next: back,
      }),
    ),
    planWaitQueue(kind, tier, {
      name: waitQueue(kind, tier),
      ttlMs: delayMs,
      next: spreadExchange(kind, tier),
    }),
  ];
}

/**
 * One queue per tier with a TTL of the whole queue, never of single messages: messages expire only at the head of a queue, so
 * a long wait would block a short one. Source: RabbitMQ TTL page.
 */
function planWaitQueue(
  kind: PlannedKind,
  tier: number,
  { name, ttlMs, next }: { readonly name: string; readonly ttlMs: number; readonly next: string },
): QueuePlan {
  return {
    name,
    role: 'wait',
    kind: kind.kind,
    tier,
    arguments: {
      'x-queue-type': kind.queueType,
      'x-message-ttl': ttlMs,
      'x-dead-letter-exchange': next,
      'x-dead-letter-routing-key': tierKey(kind, tier),
      ...(kind.queueType === 'quorum' ? AT_LEAST_ONCE : {}),
    },
    maxLength: undefined,
    ttlMs,
  };
}

function planMainQueue(kind: PlannedKind, broker: BrokerProfile): QueuePlan {
  return {
    name: kind.queue,
    role: 'main',
    kind: kind.kind,
    tier: 0,
    arguments: {
      'x-queue-type': kind.queueType,
      'x-dead-letter-exchange': deadLetterExchange(kind.queue),
      ...overflowArguments(kind),
      ...(kind.messageTtlMs === undefined ? {} : { 'x-message-ttl': kind.messageTtlMs }),
      ...limitArguments(kind, broker),
    },
    maxLength: kind.maxLength,
    ttlMs: kind.messageTtlMs,
  };
}

function overflowArguments(kind: PlannedKind): Record<string, string> {
  // With drop-head the broker silently ignores at-least-once (RabbitMQ, quorum queues), so it is not set.
  if (kind.dropsHead) return { 'x-overflow': 'drop-head' };
  return kind.queueType === 'quorum' ? AT_LEAST_ONCE : { 'x-overflow': 'reject-publish' };
}

/** Without the management API there are no policies, so limits are arguments of the queue. */
export function limitArguments(kind: PlannedKind, broker: BrokerProfile): Record<string, number> {
  if (broker.hasManagement) return {};
  const crashes = kind.queueType === 'quorum' ? { 'x-delivery-limit': kind.crashLimit } : {};
  return { 'x-max-length': kind.maxLength, ...crashes };
}

function planBindings(kind: PlannedKind, broker: BrokerProfile): BindingPlan[] {
  const { queue } = kind;
  const dead = deadLetterQueue(kind);
  const tiers = kind.tiersMs.map((_, index) => index + 1);
  return [
    ...FINAL_REASONS.map((reason) => ({
      exchange: deadLetterExchange(queue),
      queue: dead,
      key: '',
      arguments: reasonMatch(reason, broker),
    })),
    ...(kind.jitter === 0 ? [] : tiers).flatMap((tier) =>
      SPREADS.map((spread) => ({
        exchange: spreadExchange(kind, tier),
        queue: spreadQueue(kind, tier, spread),
        key: '',
        arguments: { 'x-match': 'all', [SPREAD_HEADER]: spread },
      })),
    ),
    ...firstKeys(kind).map((key) => bind(retryExchange(queue), waitQueue(kind, 1), key)),
    ...patternsOf(kind).map((key) => bind(firstRetryExchange(queue), waitQueue(kind, 1), key)),
    ...tiers
      .slice(1)
      .map((tier) => bind(retryExchange(queue), waitQueue(kind, tier), tierKey(kind, tier - 1))),
    bind(retryExchange(queue), dead, tierKey(kind, tiers.length)),
    bind(returnExchange(queue), queue, directKey(kind)),
    ...tiers.map((tier) => bind(returnExchange(queue), queue, tierKey(kind, tier))),
  ];
}

/** `all-with-x`, because `all` ignores headers that begin with `x-` and so matches every message. */
function reasonMatch(reason: string, broker: BrokerProfile): Record<string, string> {
  return { 'x-match': 'all-with-x', [reasonHeader(broker)]: reason };
}

function bind(exchange: string, queue: string, key: string): BindingPlan {
  return { exchange, queue, key, arguments: {} };
}
