/** Proofs that the declared numbers are in the plan: limits and lifetimes, as policies or as arguments. */
import { type Fault, fault } from '../errors.ts';
import { isAtLeast } from '../plan/brokerProfile.ts';
import type { PlannedKind, QueuePlan, TopologyPlan } from '../plan/topologyPlan.ts';

export function proveLimits(plan: TopologyPlan): Fault[] {
  return [
    ...plan.policies.flatMap((policy) => provePattern(plan, policy)),
    ...plan.queues.flatMap((queue) => {
      const kind = plan.kinds.find((candidate) => candidate.kind === queue.kind);
      if (kind === undefined) return [];
      return [...proveNumbers(plan, queue, kind), ...proveLifetime(queue, kind)];
    }),
  ];
}

/** A policy that meets another queue would take that queue's own policy away: the broker applies one. */
function provePattern(
  plan: TopologyPlan,
  { name, pattern }: TopologyPlan['policies'][number],
): Fault[] {
  const met = plan.queues.filter((queue) => new RegExp(pattern).test(queue.name));
  const isAnchored = pattern.startsWith('^') && pattern.endsWith('$');
  const isAlone = isAnchored && met.length === 1 && met[0]?.name === name;
  const remedy = `pattern ${pattern} must meet the queue ${name} alone; anchor it`;
  return isAlone ? [] : [fault('POLICY_PATTERN_WRONG', name, remedy)];
}

/** What the broker will hold this queue to: a policy, or an argument where there is no management API. */
function proveNumbers(plan: TopologyPlan, queue: QueuePlan, kind: PlannedKind): Fault[] {
  const policy = plan.policies.find(({ name }) => name === queue.name)?.definition ?? {};
  const planned = {
    'max-length': policy['max-length'] ?? queue.arguments['x-max-length'],
    'delivery-limit': policy['delivery-limit'] ?? queue.arguments['x-delivery-limit'],
  };
  const wanted = wantedNumbers(plan, queue, kind);
  const isDescribed = queue.maxLength === wanted['max-length'];
  const undescribed = fault('LIMIT_WRONG', queue.name, 'the plan describes another max-length');
  return Object.entries(wanted)
    .filter(([name, number]) => planned[name as keyof typeof planned] !== number)
    .map(([name, number]) =>
      fault('LIMIT_WRONG', queue.name, `${name} must be ${number ?? 'unset'}, as declared`),
    )
    .concat(isDescribed ? [] : [undescribed]);
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
      // From 4.0 on a letter that was looked at 20 times would be deleted.
      const hasDefault = isAtLeast(broker, '4.0.0');
      return { 'max-length': undefined, 'delivery-limit': hasDefault ? -1 : undefined };
    }
  }
}

function proveLifetime(queue: QueuePlan, kind: PlannedKind): Fault[] {
  const ttlMs = queue.arguments['x-message-ttl'];
  const wantedMs = {
    main: kind.messageTtlMs,
    wait: kind.tiersMs[queue.tier - 1],
    dlq: undefined,
  }[queue.role];
  const isDescribed = ttlMs === queue.ttlMs;
  return ttlMs === wantedMs && isDescribed
    ? []
    : [fault('LIFETIME_WRONG', queue.name, `must live ${wantedMs ?? 'for ever'}, as declared`)];
}
