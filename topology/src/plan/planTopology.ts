/** Declaration → plan. No I/O, and deterministic: the same declaration and broker give the same plan. */
import {
  type Declaration,
  type KindDeclaration,
  requireDeclaration,
} from '../declaration/declareTopology.ts';
import { frozenCopy } from '../declaration/freezeDeeply.ts';
import { type BrokerProfile, isAtLeast } from './brokerProfile.ts';
import { deadLetterQueue, delayName, notesName, parkExchange } from './names.ts';
import { hasNativeRetry, isLinear, planNative } from './planNative.ts';
import { AT_LEAST_ONCE, planTiers } from './planTiers.ts';
import type {
  KindPlan,
  NotesPlan,
  PlannedKind,
  PolicyPlan,
  QueuePlan,
  TopologyPlan,
} from './topologyPlan.ts';

/**
 * Plans the topology of a declaration for one broker.
 * @throws TopologyError `DECLARATION_INVALID` if `declaration` is not a declaration.
 * @returns a frozen plan; prove it (`provePlan`) before it is asserted on a broker.
 */
export function planTopology(declaration: Declaration, broker: BrokerProfile): TopologyPlan {
  requireDeclaration(declaration);
  const kinds = declaration.kinds.map((kind) => chooseBackend(kind, broker));
  const plans = [
    ...declaration.delaysMs.map((delayMs) => planDelay(declaration.exchange, delayMs)),
    ...kinds.map((kind) => planKind(kind, broker)),
  ];
  return frozenCopy({
    broker,
    kinds,
    exchanges: [
      // Without an alternate exchange a mandatory publish that no queue takes is returned to its publisher.
      { name: declaration.exchange, type: 'topic' as const, alternate: undefined },
      ...plans.flatMap(({ exchanges }) => exchanges),
    ],
    queues: plans.flatMap(({ queues }) => queues),
    // The public bindings come last: no message is accepted before every path behind them exists.
    bindings: [
      ...plans.flatMap(({ bindings }) => bindings),
      ...kinds.flatMap(({ queue, keys }) =>
        keys.map((key) => ({ exchange: declaration.exchange, queue, key, arguments: {} })),
      ),
    ],
    policies: broker.hasManagement ? kinds.flatMap((kind) => planPolicies(kind, broker)) : [],
    notes: kinds.map(planNotes),
  });
}

/** `auto` means the broker's own retry only if that keeps the declared waits exactly. */
function chooseBackend(kind: KindDeclaration, broker: BrokerProfile): PlannedKind {
  if (kind.backend !== 'auto') return { ...kind, backend: kind.backend };
  const isSafe = kind.queueType === 'quorum' && !kind.dropsHead && kind.jitter === 0;
  const isNative = isSafe && hasNativeRetry(broker) && isLinear(kind.tiersMs);
  return { ...kind, backend: isNative ? 'native' : 'tiers' };
}

function planKind(kind: PlannedKind, broker: BrokerProfile): KindPlan {
  const plan = kind.backend === 'native' ? planNative(kind, broker) : planTiers(kind, broker);
  const park = parkExchange(kind.queue);
  const dead = deadLetterQueue(kind);
  return {
    exchanges: [{ name: park, type: 'fanout', alternate: undefined }, ...plan.exchanges],
    queues: [planDeadLetterQueue(kind, broker), ...plan.queues],
    bindings: [{ exchange: park, queue: dead, key: '', arguments: {} }, ...plan.bindings],
  };
}

/**
 * A queue with a TTL in front of the public exchange, to which the broker moves the message with the key that it came with.
 * A fanout exchange leads to it, so that the key stays the public one.
 */
function planDelay(exchange: string, delayMs: number): KindPlan {
  const name = delayName(exchange, delayMs);
  return {
    exchanges: [{ name, type: 'fanout', alternate: undefined }],
    queues: [
      {
        name,
        role: 'wait',
        kind: '',
        tier: 0,
        arguments: {
          'x-queue-type': 'quorum',
          'x-message-ttl': delayMs,
          'x-dead-letter-exchange': exchange,
          ...AT_LEAST_ONCE,
        },
        maxLength: undefined,
        ttlMs: delayMs,
      },
    ],
    bindings: [{ exchange: name, queue: name, key: '', arguments: {} }],
  };
}

/** Notes have at most a few thousand characters, so these are some ten thousand notes. Whole segments expire, the oldest first. */
const NOTES_LIMITS = {
  'x-max-age': '14D',
  'x-max-length-bytes': 20_000_000,
  'x-stream-max-segment-size-bytes': 2_000_000,
} as const;

function planNotes({ kind, queue }: PlannedKind): NotesPlan {
  return {
    name: notesName(queue),
    kind,
    arguments: { 'x-queue-type': 'stream', ...NOTES_LIMITS },
  };
}

/** Without TTL, length limit and dead-letter exchange a dead letter stays until it is consumed. */
function planDeadLetterQueue(kind: PlannedKind, broker: BrokerProfile): QueuePlan {
  const isUnlimited = broker.hasManagement || !limitsByDefault(broker);
  return {
    name: deadLetterQueue(kind),
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
  // Classic queues count no deliveries, and a policy with a key that a queue type does not know is void for that queue.
  const crashes = kind.queueType === 'quorum' ? { 'delivery-limit': crashLimit } : {};
  const main = policy(queue, { 'max-length': maxLength, ...crashes });
  // Reading a dead letter without acknowledging it counts as a return; the default limit of 20 would delete it.
  return limitsByDefault(broker)
    ? [main, policy(deadLetterQueue(kind), { 'delivery-limit': -1 })]
    : [main];
}

/** From 4.0 on a quorum queue has a delivery limit of 20 by default. */
function limitsByDefault(broker: BrokerProfile): boolean {
  return isAtLeast(broker, '4.0.0');
}

/** One policy per queue with an anchored pattern, since the broker applies only one user policy to a queue. */
function policy(queue: string, definition: Record<string, number>): PolicyPlan {
  return { name: queue, pattern: `^${queue.replaceAll('.', '\\.')}$`, definition };
}
