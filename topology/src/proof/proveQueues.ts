/** Proofs of each queue by itself: it loses nothing that was not declared as unsafe, and has the declared limits. */
import type { Declaration } from '../declaration/declareTopology.ts';
import { type Fault, fault } from '../errors.ts';
import { isAtLeast } from '../plan/brokerProfile.ts';
import { deadLetterExchange, delayName, parkExchange, spreadQueue } from '../plan/names.ts';
import { AT_LEAST_ONCE } from '../plan/planTiers.ts';
import type { PlannedKind, QueuePlan, TopologyPlan } from '../plan/topologyPlan.ts';
import { SPREADS, spreadMs } from '../retry/spread.ts';

/** @returns the faults of all queues and policies. */
export function proveQueues(declaration: Declaration, plan: TopologyPlan): Fault[] {
  const delays = new Map(
    declaration.delaysMs.map((delayMs) => [delayName(declaration.exchange, delayMs), delayMs]),
  );
  return [
    ...plan.queues.flatMap((queue) => {
      const delayMs = delays.get(queue.name);
      if (delayMs !== undefined) return proveDelayQueue(queue, declaration.exchange, delayMs);
      const kind = plan.kinds.find((candidate) => candidate.kind === queue.kind);
      return kind === undefined
        ? [fault('KIND_UNKNOWN', queue.name, `no kind '${queue.kind}' is declared`)]
        : [
            ...proveQueue(queue, kind),
            ...proveNumbers(plan, queue, kind),
            ...proveLifetime(queue, kind),
          ];
    }),
    ...plan.policies.flatMap((policy) => provePattern(plan, policy)),
  ];
}

/** A queue that delays the first delivery: it loses nothing, keeps the key, and leads to the public exchange. */
function proveDelayQueue(queue: QueuePlan, exchange: string, delayMs: number): Fault[] {
  const { name, role, kind, tier, maxLength, ttlMs, arguments: settings } = queue;
  const wanted = {
    'x-queue-type': 'quorum',
    'x-message-ttl': delayMs,
    'x-dead-letter-exchange': exchange,
    ...AT_LEAST_ONCE,
  };
  const isEqual =
    Object.keys(settings).length === Object.keys(wanted).length &&
    Object.entries(wanted).every(([option, value]) => settings[option] === value);
  const isDescribed = role === 'wait' && kind === '' && tier === 0 && ttlMs === delayMs;
  return [
    ...(isEqual && isDescribed
      ? []
      : [fault('DELAY_WRONG', name, `must keep every message for ${delayMs} ms, as declared`)]),
    ...(maxLength === undefined
      ? []
      : [fault('LENGTH_LIMITED', name, 'a limited delay loses messages; drop the limit')]),
  ];
}

interface Rule {
  readonly isBroken: boolean;
  readonly code: string;
  readonly remedy: string;
}

function proveQueue(queue: QueuePlan, kind: PlannedKind): Fault[] {
  const rules = [
    ...storageRules(queue, kind),
    ...ROLE_RULES[queue.role](queue),
    ...(queue.role === 'main' && kind.backend === 'native' ? delayRules(queue, kind) : []),
  ];
  return rules
    .filter(({ isBroken }) => isBroken)
    .map(({ code, remedy }) => fault(code, queue.name, remedy));
}

/** Rules of every role: a queue loses messages only if that was declared. */
function storageRules(queue: QueuePlan, kind: PlannedKind): Rule[] {
  const isClassic = queue.arguments['x-queue-type'] !== 'quorum';
  const mayBeClassic = queue.role !== 'dlq' && kind.queueType === 'classic';
  const mayDrop = queue.role === 'main' && kind.dropsHead;
  return [
    {
      isBroken: isClassic && !mayBeClassic,
      code: 'NOT_QUORUM',
      remedy:
        "a classic queue loses dead letters; make it a quorum queue, or declare unsafe: ['classic']",
    },
    {
      isBroken: queue.arguments['x-overflow'] === 'drop-head' && !mayDrop,
      code: 'DROPS_UNDECLARED',
      remedy:
        "a full queue would drop its oldest; take reject-publish, or declare unsafe: ['drop-head']",
    },
    {
      isBroken: mayDrop && queue.arguments['x-overflow'] !== 'drop-head',
      code: 'OVERFLOW_WRONG',
      remedy: "must drop its oldest, as unsafe: ['drop-head'] declares",
    },
    {
      isBroken: queue.role !== 'wait' && queue.tier !== 0,
      code: 'TIER_WRONG',
      remedy: 'only a wait queue is one of a tier; its tier is 0',
    },
    {
      isBroken: queue.role !== 'dlq' && !isClassic && !mayDrop && !isAtLeastOnce(queue),
      code: 'NOT_AT_LEAST_ONCE',
      remedy: "needs at-least-once and reject-publish, or unsafe: ['drop-head']",
    },
  ];
}

const ROLE_RULES: Readonly<Record<QueuePlan['role'], (queue: QueuePlan) => Rule[]>> = {
  main: (queue) => [
    {
      isBroken: queue.maxLength === undefined,
      code: 'LENGTH_UNLIMITED',
      remedy: 'a main queue without a limit fills the disk; give maxLength',
    },
    {
      isBroken: !isDeadLettered(queue),
      code: 'DEAD_LETTER_EXCHANGE_WRONG',
      remedy: `must dead-letter to ${deadLetterExchange(queue.name)} or ${parkExchange(queue.name)}`,
    },
    {
      isBroken: queue.arguments['x-dead-letter-routing-key'] !== undefined,
      code: 'KEY_FORCED',
      remedy: 'a dead-letter key would give every attempt the same tier; drop it',
    },
  ],
  wait: limitedRules,
  dlq: (queue) => [
    ...limitedRules(queue),
    {
      isBroken: queue.ttlMs !== undefined,
      code: 'DEAD_LETTERS_EXPIRE',
      remedy: 'dead letters would be deleted; drop the time to live',
    },
  ],
};

/** The native back end waits min(first × n, longest) after the n-th return. */
function delayRules(queue: QueuePlan, { tiersMs }: PlannedKind): Rule[] {
  const wanted = {
    'x-delayed-retry-type': 'failed',
    'x-delayed-retry-min': tiersMs[0],
    'x-delayed-retry-max': Math.max(...tiersMs),
  };
  return Object.entries(wanted).map(([name, value]) => ({
    isBroken: queue.arguments[name] !== value,
    code: 'DELAY_WRONG',
    remedy: `${name} must be ${value}, as the tiers declare`,
  }));
}

function limitedRules(queue: QueuePlan): Rule[] {
  return [
    {
      isBroken: queue.maxLength !== undefined,
      code: 'LENGTH_LIMITED',
      remedy: 'a limited wait or dead-letter queue loses messages; drop the limit',
    },
  ];
}

function isAtLeastOnce(queue: QueuePlan): boolean {
  return (
    queue.arguments['x-dead-letter-strategy'] === 'at-least-once' &&
    queue.arguments['x-overflow'] === 'reject-publish' &&
    queue.arguments['x-dead-letter-exchange'] !== undefined
  );
}

function isDeadLettered(queue: QueuePlan): boolean {
  const exchange = queue.arguments['x-dead-letter-exchange'];
  return exchange === deadLetterExchange(queue.name) || exchange === parkExchange(queue.name);
}

/** The broker applies one policy to a queue, so a policy that also matches another queue could replace that queue's own. */
function provePattern(
  plan: TopologyPlan,
  { name, pattern }: TopologyPlan['policies'][number],
): Fault[] {
  const matched = plan.queues.filter((queue) => new RegExp(pattern).test(queue.name));
  const isAnchored = pattern.startsWith('^') && pattern.endsWith('$');
  const isAlone = isAnchored && matched.length === 1 && matched[0]?.name === name;
  const remedy = `pattern ${pattern} must match the queue ${name} alone; anchor it`;
  return isAlone ? [] : [fault('POLICY_PATTERN_WRONG', name, remedy)];
}

/** The limits are in a policy, or in an argument if there is no management API. */
function proveNumbers(plan: TopologyPlan, queue: QueuePlan, kind: PlannedKind): Fault[] {
  const policy = plan.policies.find(({ name }) => name === queue.name)?.definition ?? {};
  const planned = {
    'max-length': policy['max-length'] ?? queue.arguments['x-max-length'],
    'delivery-limit': policy['delivery-limit'] ?? queue.arguments['x-delivery-limit'],
  };
  const wanted = wantedNumbers(plan, queue, kind);
  const isDescribed = queue.maxLength === wanted['max-length'];
  const descriptionFault = fault(
    'LIMIT_WRONG',
    queue.name,
    'the plan describes another max-length',
  );
  return Object.entries(wanted)
    .filter(([name, number]) => planned[name as keyof typeof planned] !== number)
    .map(([name, number]) =>
      fault('LIMIT_WRONG', queue.name, `${name} must be ${number ?? 'unset'}, as declared`),
    )
    .concat(isDescribed ? [] : [descriptionFault]);
}

function wantedNumbers(
  { broker }: TopologyPlan,
  queue: QueuePlan,
  kind: PlannedKind,
): Record<'max-length' | 'delivery-limit', number | undefined> {
  switch (queue.role) {
    case 'main': {
      const isCounted = kind.queueType === 'quorum';
      return {
        'max-length': kind.maxLength,
        'delivery-limit': isCounted ? kind.crashLimit : undefined,
      };
    }
    case 'wait':
      return { 'max-length': undefined, 'delivery-limit': undefined };
    case 'dlq': {
      // From 4.0 on a dead letter that was read 20 times would be deleted.
      const hasDefault = isAtLeast(broker, '4.0.0');
      return { 'max-length': undefined, 'delivery-limit': hasDefault ? -1 : undefined };
    }
  }
}

/** With jitter a tier has further wait queues, for the time beyond its delay. */
function waitTtlMs({ name, tier }: QueuePlan, kind: PlannedKind): number | undefined {
  const delayMs = kind.tiersMs[tier - 1];
  if (delayMs === undefined || kind.jitter === 0) return delayMs;
  const spread = SPREADS.find((one) => spreadQueue(kind, tier, one) === name);
  return spread === undefined ? delayMs : spreadMs(delayMs, kind.jitter, spread);
}

function proveLifetime(queue: QueuePlan, kind: PlannedKind): Fault[] {
  const ttlMs = queue.arguments['x-message-ttl'];
  const wantedMs = {
    main: kind.messageTtlMs,
    wait: waitTtlMs(queue, kind),
    dlq: undefined,
  }[queue.role];
  const isDescribed = ttlMs === queue.ttlMs;
  return ttlMs === wantedMs && isDescribed
    ? []
    : [
        fault(
          'LIFETIME_WRONG',
          queue.name,
          `must have the time to live ${wantedMs ?? 'none'}, as declared`,
        ),
      ];
}
