/** Proofs of each queue by itself: nothing in it is lost, and what is unsafe was declared. */
import { type Fault, fault } from '../errors.ts';
import { deadLetterExchange, parkExchange } from '../plan/names.ts';
import type { PlannedKind, QueuePlan, TopologyPlan } from '../plan/topologyPlan.ts';

export function proveQueues(plan: TopologyPlan): Fault[] {
  return plan.queues.flatMap((queue) => {
    const kind = plan.kinds.find((candidate) => candidate.kind === queue.kind);
    return kind === undefined
      ? [fault('KIND_UNKNOWN', queue.name, `no kind '${queue.kind}' is declared`)]
      : proveQueue(queue, kind);
  });
}

type Rule = readonly [isBroken: boolean, code: string, remedy: string];

function proveQueue(queue: QueuePlan, kind: PlannedKind): Fault[] {
  const rules = [
    ...storageRules(queue, kind),
    ...ROLE_RULES[queue.role](queue),
    ...(queue.role === 'main' && kind.backend === 'native' ? delayRules(queue, kind) : []),
  ];
  return rules
    .filter(([isBroken]) => isBroken)
    .map(([, code, remedy]) => fault(code, queue.name, remedy));
}

/** What holds in every role: nothing is lost unless it was declared. */
function storageRules(queue: QueuePlan, kind: PlannedKind): Rule[] {
  const isClassic = queue.arguments['x-queue-type'] !== 'quorum';
  const mayBeClassic = queue.role !== 'dlq' && kind.queueType === 'classic';
  const mayDrop = queue.role === 'main' && kind.dropsHead;
  return [
    [
      isClassic && !mayBeClassic,
      'NOT_QUORUM',
      "a classic queue loses dead letters; make it a quorum queue, or declare unsafe: ['classic']",
    ],
    [
      queue.arguments['x-overflow'] === 'drop-head' && !mayDrop,
      'DROPS_UNDECLARED',
      "a full queue would drop its oldest; take reject-publish, or declare unsafe: ['drop-head']",
    ],
    [
      mayDrop && queue.arguments['x-overflow'] !== 'drop-head',
      'OVERFLOW_WRONG',
      "must drop its oldest, as unsafe: ['drop-head'] declares",
    ],
    [
      queue.role !== 'wait' && queue.tier !== 0,
      'TIER_WRONG',
      'only a wait queue is one of a tier; its tier is 0',
    ],
    [
      queue.role !== 'dlq' && !isClassic && !mayDrop && !isAtLeastOnce(queue),
      'NOT_AT_LEAST_ONCE',
      "needs at-least-once and reject-publish, or unsafe: ['drop-head']",
    ],
  ];
}

const ROLE_RULES: Readonly<Record<QueuePlan['role'], (queue: QueuePlan) => Rule[]>> = {
  main: (queue) => [
    [
      queue.maxLength === undefined,
      'LENGTH_UNLIMITED',
      'a main queue without a limit fills the disk; give maxLength',
    ],
    [
      !isDeadLettered(queue),
      'DEAD_LETTER_EXCHANGE_WRONG',
      `must dead-letter to ${deadLetterExchange(queue.name)} or ${parkExchange(queue.name)}`,
    ],
    [
      queue.arguments['x-dead-letter-routing-key'] !== undefined,
      'KEY_FORCED',
      'a dead-letter key would give every attempt the same tier; drop it',
    ],
  ],
  wait: limitedRules,
  dlq: (queue) => [
    ...limitedRules(queue),
    [
      queue.ttlMs !== undefined,
      'DEAD_LETTERS_EXPIRE',
      'letters would vanish; drop the time to live',
    ],
  ],
};

/** The native back end waits min(first × n, longest) after the n-th return. */
function delayRules(queue: QueuePlan, { tiersMs }: PlannedKind): Rule[] {
  const wanted = {
    'x-delayed-retry-type': 'failed',
    'x-delayed-retry-min': tiersMs[0],
    'x-delayed-retry-max': Math.max(...tiersMs),
  };
  return Object.entries(wanted).map(([name, value]) => [
    queue.arguments[name] !== value,
    'DELAY_WRONG',
    `${name} must be ${value}, as the tiers declare`,
  ]);
}

function limitedRules(queue: QueuePlan): Rule[] {
  return [
    [
      queue.maxLength !== undefined,
      'LENGTH_LIMITED',
      'a limited wait or dead-letter queue loses letters; drop the limit',
    ],
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
