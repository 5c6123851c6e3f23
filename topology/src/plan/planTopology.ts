/** Declaration → plan. Pure and deterministic: the same declaration and broker give the same plan. */
import type { Declaration, KindDeclaration } from '../declaration/declareTopology.ts';
import { type BrokerProfile, compareVersions } from './brokerProfile.ts';
import {
  deadLetterExchange,
  deadLetterQueue,
  parkExchange,
  retryExchange,
  returnExchange,
  tierKey,
  waitQueue,
} from './names.ts';
import type {
  BindingPlan,
  ExchangePlan,
  PolicyPlan,
  QueuePlan,
  TopologyPlan,
} from './topologyPlan.ts';

/** Deaths that no retry can mend: they go to the dead-letter queue at once. The rest is a rejection, and retried. */
const FINAL_REASONS = ['delivery_limit', 'expired', 'maxlen'] as const;

const AT_LEAST_ONCE = {
  'x-dead-letter-strategy': 'at-least-once',
  'x-overflow': 'reject-publish',
} as const;

/** @returns a frozen plan; prove it (`provePlan`) before it is asserted on a broker. */
export function planTopology(declaration: Declaration, broker: BrokerProfile): TopologyPlan {
  const kinds = declaration.kinds;
  return Object.freeze({
    exchanges: Object.freeze([
      // No alternate here: with one, a mandatory publish would never be returned to the relay.
      { name: declaration.exchange, type: 'topic' as const, alternate: undefined },
      ...kinds.flatMap((kind) => planExchanges(kind)),
    ]),
    queues: Object.freeze(kinds.flatMap((kind) => planQueues(kind, broker))),
    // The public binding comes last: nothing is accepted before every path behind it exists.
    bindings: Object.freeze([
      ...kinds.flatMap((kind) => planBindings(kind, broker)),
      ...kinds.map((kind) => bind(declaration.exchange, kind.queue, kind.key)),
    ]),
    policies: Object.freeze(
      broker.hasManagement ? kinds.flatMap((kind) => planPolicies(kind, broker)) : [],
    ),
  });
}

function planExchanges(kind: KindDeclaration): ExchangePlan[] {
  const { queue } = kind;
  const park = parkExchange(queue);
  return [
    { name: park, type: 'fanout', alternate: undefined },
    { name: retryExchange(queue), type: 'direct', alternate: park },
    { name: returnExchange(queue), type: 'direct', alternate: park },
    // Headers, because only the reason of the death tells a rejection from a crash, an expiry or an overflow.
    { name: deadLetterExchange(queue), type: 'headers', alternate: retryExchange(queue) },
  ];
}

function planQueues(kind: KindDeclaration, broker: BrokerProfile): QueuePlan[] {
  return [
    planDeadLetterQueue(kind, broker),
    ...kind.tiersMs.map((ttlMs, index) => planWaitQueue(kind, index + 1, ttlMs)),
    planMainQueue(kind, broker),
  ];
}

/** No TTL, no length, no dead-letter exchange: a letter leaves only when someone takes it. */
function planDeadLetterQueue(kind: KindDeclaration, broker: BrokerProfile): QueuePlan {
  const isDeclaredByArgument = !broker.hasManagement && needsUnlimitedDeliveries(broker);
  return Object.freeze({
    name: deadLetterQueue(kind.queue),
    role: 'dlq',
    kind: kind.kind,
    tier: 0,
    arguments: {
      'x-queue-type': 'quorum',
      ...(isDeclaredByArgument ? { 'x-delivery-limit': -1 } : {}),
    },
    maxLength: undefined,
    ttlMs: undefined,
  });
}

/**
 * One queue per tier with a queue-level TTL, never a TTL per message: expired messages leave only from the head, so a
 * long wait would block a short one. Source: RabbitMQ TTL page.
 */
function planWaitQueue(kind: KindDeclaration, tier: number, ttlMs: number): QueuePlan {
  return Object.freeze({
    name: waitQueue(kind.queue, tier),
    role: 'wait',
    kind: kind.kind,
    tier,
    arguments: {
      'x-queue-type': 'quorum',
      'x-message-ttl': ttlMs,
      'x-dead-letter-exchange': returnExchange(kind.queue),
      'x-dead-letter-routing-key': tierKey(kind, tier),
      ...AT_LEAST_ONCE,
    },
    maxLength: undefined,
    ttlMs,
  });
}

function planMainQueue(kind: KindDeclaration, broker: BrokerProfile): QueuePlan {
  const limits = { 'x-max-length': kind.maxLength, 'x-delivery-limit': kind.crashLimit };
  return Object.freeze({
    name: kind.queue,
    role: 'main',
    kind: kind.kind,
    tier: 0,
    arguments: {
      'x-queue-type': 'quorum',
      'x-dead-letter-exchange': deadLetterExchange(kind.queue),
      // Under drop-head at-least-once is silently off (RabbitMQ, quorum queues), so it is not asked for.
      ...(kind.dropsHead ? { 'x-overflow': 'drop-head' } : AT_LEAST_ONCE),
      ...(kind.messageTtlMs === undefined ? {} : { 'x-message-ttl': kind.messageTtlMs }),
      ...(broker.hasManagement ? {} : limits),
    },
    maxLength: kind.maxLength,
    ttlMs: kind.messageTtlMs,
  });
}

function planBindings(kind: KindDeclaration, broker: BrokerProfile): BindingPlan[] {
  const { queue } = kind;
  const dead = deadLetterQueue(queue);
  const tiers = kind.tiersMs.map((_, index) => index + 1);
  return [
    bind(parkExchange(queue), dead, ''),
    ...FINAL_REASONS.map((reason) =>
      bind(deadLetterExchange(queue), dead, '', reasonMatch(reason, broker)),
    ),
    ...tiers.map((tier) =>
      bind(retryExchange(queue), waitQueue(queue, tier), tierKey(kind, tier - 1)),
    ),
    bind(retryExchange(queue), dead, tierKey(kind, tiers.length)),
    ...tiers.map((tier) => bind(returnExchange(queue), queue, tierKey(kind, tier))),
  ];
}

/** `all-with-x`, because plain `all` skips headers that begin with `x-` and so matches everything. */
function reasonMatch(reason: string, broker: BrokerProfile): Record<string, string> {
  const isLastKnown = compareVersions(broker.version, '3.13.0') >= 0;
  return {
    'x-match': 'all-with-x',
    [isLastKnown ? 'x-last-death-reason' : 'x-first-death-reason']: reason,
  };
}

function planPolicies(kind: KindDeclaration, broker: BrokerProfile): PolicyPlan[] {
  const dead = deadLetterQueue(kind.queue);
  const main = policy(kind.queue, {
    'max-length': kind.maxLength,
    'delivery-limit': kind.crashLimit,
  });
  // Each look at a letter is a return; a default limit of 20 without a dead-letter exchange would delete it.
  return needsUnlimitedDeliveries(broker) ? [main, policy(dead, { 'delivery-limit': -1 })] : [main];
}

function needsUnlimitedDeliveries(broker: BrokerProfile): boolean {
  return compareVersions(broker.version, '4.0.0') >= 0;
}

/** One policy per queue with an anchored pattern, since the broker applies only one user policy to a queue. */
function policy(queue: string, definition: Record<string, number>): PolicyPlan {
  return { name: queue, pattern: `^${queue.replaceAll('.', '\\.')}$`, definition };
}

function bind(
  ...[exchange, queue, key, headers = {}]: [string, string, string, Record<string, string>?]
): BindingPlan {
  return { exchange, queue, key, arguments: headers };
}
