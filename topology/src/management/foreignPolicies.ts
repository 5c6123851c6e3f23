/** Foreign policies: policies that are not planned, but change what happens to messages in an owned queue. No I/O. */
import type { PolicyPlan, TopologyPlan } from '../plan/topologyPlan.ts';
import type { Arguments, LivePolicy, LiveTopology } from './liveTopology.ts';
import { formerWaitQueues } from './ownedObjects.ts';

/** Settings that decide when a message leaves a queue, and where it goes. Others, such as the place of replicas, do not matter. */
const MESSAGE_SETTINGS = [
  'message-ttl',
  'expires',
  'max-length',
  'max-length-bytes',
  'overflow',
  'delivery-limit',
  'dead-letter-exchange',
  'dead-letter-routing-key',
  'dead-letter-strategy',
  'delayed-retry-type',
  'delayed-retry-min',
  'delayed-retry-max',
];

/** A foreign policy and the owned queue that it changes. */
export interface ForeignPolicy {
  /** The policy as it is. */
  readonly policy: LivePolicy;
  /** Name of the queue. */
  readonly queue: string;
  /** True for an operator policy. */
  readonly isOperator: boolean;
  /** What it changes, as text for people. */
  readonly effect: string;
}

interface OwnedQueue {
  readonly name: string;
  readonly type: string;
  /** Planned settings by the names that policies use. */
  readonly settings: Arguments;
  /** Planned policy; undefined if none is planned. */
  readonly policy: PolicyPlan | undefined;
  /** Names of the policies in force, as the broker reports them. */
  readonly inForce: readonly (string | undefined)[];
}

/**
 * A policy counts if its pattern matches, so that it is found before the queue exists.
 * @param live has no queues at a first start.
 */
export function findForeignPolicies(
  plan: TopologyPlan,
  live: Pick<LiveTopology, 'queues' | 'policies' | 'operatorPolicies'>,
): ForeignPolicy[] {
  const own = new Set(plan.policies.map(({ name }) => name));
  return ownedQueues(plan, live).flatMap((queue) => [
    ...live.policies
      .filter(({ name }) => !own.has(name))
      .filter((policy) => reaches(policy, queue) && !isOutranked(policy, queue))
      .flatMap((policy) => effectOn(policy, queue, false)),
    ...live.operatorPolicies
      .filter((policy) => reaches(policy, queue))
      .flatMap((policy) => effectOn(policy, queue, true)),
  ]);
}

/** @returns one foreign policy, or none if the policy changes nothing. */
function effectOn(policy: LivePolicy, queue: OwnedQueue, isOperator: boolean): ForeignPolicy[] {
  const changes = MESSAGE_SETTINGS.filter((name) =>
    isChanged(name, policy.definition[name], queue),
  );
  const setting = changes.map((name) => `${name} ${String(policy.definition[name])}`).join(', ');
  const displaced = isOperator ? undefined : queue.policy;
  if (displaced === undefined && changes.length === 0) return [];
  const parts = [
    // The broker applies one user policy to a queue: a second one replaces the planned one.
    ...(displaced === undefined ? [] : [`it may take the place of policy '${displaced.name}'`]),
    ...(changes.length === 0 ? [] : [`it sets ${setting}`]),
  ];
  return [{ policy, queue: queue.name, isOperator, effect: parts.join(', and ') }];
}

/** Of two limits the broker applies the lower (RabbitMQ, policies); a negative one means no limit. */
function isChanged(name: string, value: unknown, { settings }: OwnedQueue): boolean {
  const planned = settings[name];
  if (value === undefined || value === planned) return false;
  if (typeof value !== 'number' || typeof planned !== 'number') return true;
  return planned < 0 || (value >= 0 && value < planned);
}

/** Between policies of equal priority the broker may choose either. */
function isOutranked(policy: LivePolicy, queue: OwnedQueue): boolean {
  if (queue.inForce.includes(policy.name)) return false;
  return queue.policy !== undefined && policy.priority < 0;
}

function reaches(policy: LivePolicy, queue: OwnedQueue): boolean {
  if (queue.inForce.includes(policy.name)) return true;
  const applies = ['all', 'queues', `${queue.type}_queues`].includes(policy.applyTo);
  return applies && isPatternMatch(policy.pattern, queue.name);
}

/** The broker's patterns are Erlang's. One that JavaScript cannot read counts only if the broker reports it in force. */
function isPatternMatch(pattern: string, name: string): boolean {
  try {
    return new RegExp(pattern).test(name);
  } catch {
    return false;
  }
}

function ownedQueues(plan: TopologyPlan, live: Pick<LiveTopology, 'queues'>): OwnedQueue[] {
  const planned = plan.queues.map(({ name, arguments: settings }) => ({ name, settings }));
  const old = formerWaitQueues(plan, live).map(({ queue }) => ({
    name: queue.name,
    settings: queue.arguments,
  }));
  return [...planned, ...old].map(({ name, settings }) => {
    const found = live.queues.find((queue) => queue.name === name);
    const policy = plan.policies.find((one) => one.name === name);
    const type = settings['x-queue-type'] === 'quorum' ? 'quorum' : 'classic';
    return {
      name,
      policy,
      type,
      settings: { ...withoutPrefix(settings), ...policy?.definition },
      inForce: [found?.policy, found?.operatorPolicy],
    };
  });
}

/** `x-message-ttl` as an argument is `message-ttl` in a policy. */
function withoutPrefix(settings: Arguments): Arguments {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [name.replace(/^x-/, ''), value]),
  );
}
