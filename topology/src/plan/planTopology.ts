/** Declaration → plan. Pure and deterministic: the same declaration and broker give the same plan. */
import type { Declaration, KindDeclaration } from '../declaration/declareTopology.ts';
import { requireDeclaration } from '../declaration/requireKind.ts';
import { type BrokerProfile, isAtLeast } from './brokerProfile.ts';
import { deadLetterQueue, parkExchange } from './names.ts';
import { hasNativeRetry, isLinear, planNative } from './planNative.ts';
import { planTiers } from './planTiers.ts';
import type { KindPlan, PlannedKind, PolicyPlan, QueuePlan, TopologyPlan } from './topologyPlan.ts';

/**
 * @throws TopologyError `DECLARATION_INVALID` where there is none.
 * @returns a frozen plan; prove it (`provePlan`) before it is asserted on a broker.
 */
export function planTopology(declaration: Declaration, broker: BrokerProfile): TopologyPlan {
  requireDeclaration(declaration);
  const kinds = declaration.kinds.map((kind) => chooseBackend(kind, broker));
  const plans = kinds.map((kind) => planKind(kind, broker));
  return Object.freeze({
    broker,
    kinds: Object.freeze(kinds),
    exchanges: Object.freeze([
      // No alternate here: with one, a mandatory publish would never be returned to the relay.
      { name: declaration.exchange, type: 'topic' as const, alternate: undefined },
      ...plans.flatMap(({ exchanges }) => exchanges),
    ]),
    queues: Object.freeze(
      plans.flatMap(({ queues }) => queues.map((queue) => Object.freeze(queue))),
    ),
    // The public binding comes last: nothing is accepted before every path behind it exists.
    bindings: Object.freeze([
      ...plans.flatMap(({ bindings }) => bindings),
      ...kinds.map(({ queue, key }) => ({
        exchange: declaration.exchange,
        queue,
        key,
        arguments: {},
      })),
    ]),
    policies: Object.freeze(
      broker.hasManagement ? kinds.flatMap((kind) => planPolicies(kind, broker)) : [],
    ),
  });
}

/** `auto` takes the broker's own retry only where it keeps the declared waits exactly. */
function chooseBackend(kind: KindDeclaration, broker: BrokerProfile): PlannedKind {
  if (kind.backend !== 'auto') return { ...kind, backend: kind.backend };
  const isSafe = kind.queueType === 'quorum' && !kind.dropsHead;
  const isNative = isSafe && hasNativeRetry(broker) && isLinear(kind.tiersMs);
  return { ...kind, backend: isNative ? 'native' : 'tiers' };
}

function planKind(kind: PlannedKind, broker: BrokerProfile): KindPlan {
  const plan = kind.backend === 'native' ? planNative(kind, broker) : planTiers(kind, broker);
  const park = parkExchange(kind.queue);
  const dead = deadLetterQueue(kind.queue);
  return {
    exchanges: [{ name: park, type: 'fanout', alternate: undefined }, ...plan.exchanges],
    queues: [planDeadLetterQueue(kind, broker), ...plan.queues],
    bindings: [{ exchange: park, queue: dead, key: '', arguments: {} }, ...plan.bindings],
  };
}

/** No time to live, no length, no dead-letter exchange: a letter stays until somebody takes it. */
function planDeadLetterQueue(kind: PlannedKind, broker: BrokerProfile): QueuePlan {
  const isUnlimited = broker.hasManagement || !limitsByDefault(broker);
  return {
    name: deadLetterQueue(kind.queue),
    role: 'dlq',
    kind: kind.kind,
    tier: 0,
    arguments: {
      'x-queue-type': 'quorum',
      ...(isUnlimited ? {} : { 'x-delivery-limit': -1 }),
    },
    maxLength: undefined,
    ttlMs: undefined,
  };
}

function planPolicies(kind: PlannedKind, broker: BrokerProfile): PolicyPlan[] {
  const { queue, maxLength, crashLimit } = kind;
  // Classic queues count no deliveries, and a key that a queue type does not know makes the policy void for it.
  const crashes = kind.queueType === 'quorum' ? { 'delivery-limit': crashLimit } : {};
  const main = policy(queue, { 'max-length': maxLength, ...crashes });
  // Each look at a letter is a return; a default limit of 20 without a dead-letter exchange would delete it.
  return limitsByDefault(broker)
    ? [main, policy(deadLetterQueue(queue), { 'delivery-limit': -1 })]
    : [main];
}

/** From 4.0 on a quorum queue has a delivery limit of 20 unless told otherwise. */
function limitsByDefault(broker: BrokerProfile): boolean {
  return isAtLeast(broker, '4.0.0');
}

/** One policy per queue with an anchored pattern, since the broker applies only one user policy to a queue. */
function policy(queue: string, definition: Record<string, number>): PolicyPlan {
  return { name: queue, pattern: `^${queue.replaceAll('.', '\\.')}$`, definition };
}
