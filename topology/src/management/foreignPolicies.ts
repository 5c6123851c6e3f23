/** Policies of others that change what happens to a message in one of our queues. Pure. */
import type { PolicyPlan, TopologyPlan } from '../plan/topologyPlan.ts';
import type { Arguments, LivePolicy, LiveTopology } from './liveTopology.ts';
import { formerWaitQueues } from './ownedObjects.ts';

/** What decides when a message leaves a queue, and whereto. Others, such as where replicas are, are not our business. */
const FATEFUL = [
  ...['message-ttl', 'expires', 'max-length', 'max-length-bytes', 'overflow', 'delivery-limit'],
  ...['dead-letter-exchange', 'dead-letter-routing-key', 'dead-letter-strategy'],
  ...['delayed-retry-type', 'delayed-retry-min', 'delayed-retry-max'],
];

export interface ForeignPolicy {
  readonly policy: LivePolicy;
  readonly queue: string;
  readonly isOperator: boolean;
  /** What it does, for people. */
  readonly effect: string;
}

interface OwnQueue {
  readonly name: string;
  readonly type: string;
  /** What we planned for it, by the names that policies use. */
  readonly settings: Arguments;
  /** Ours, where one is planned. */
  readonly policy: PolicyPlan | undefined;
  /** As the broker says. */
  readonly inForce: readonly (string | undefined)[];
}

/**
 * A policy counts where its pattern fits, so that it is seen before the first queue exists, too.
 * @param live without queues at a first start.
 */
export function findForeignPolicies(
  plan: TopologyPlan,
  live: Pick<LiveTopology, 'queues' | 'policies' | 'operatorPolicies'>,
): ForeignPolicy[] {
  const own = new Set(plan.policies.map(({ name }) => name));
  return ownQueues(plan, live).flatMap((queue) => [
    ...live.policies
      .filter(({ name }) => !own.has(name))
      .filter((policy) => reaches(policy, queue) && !isOutranked(policy, queue))
      .flatMap((policy) => told(policy, queue, false)),
    ...live.operatorPolicies
      .filter((policy) => reaches(policy, queue))
      .flatMap((policy) => told(policy, queue, true)),
  ]);
}

function told(policy: LivePolicy, queue: OwnQueue, isOperator: boolean): ForeignPolicy[] {
  const changes = FATEFUL.filter((name) => isChanged(name, policy.definition[name], queue));
  const setting = changes.map((name) => `${name} ${String(policy.definition[name])}`).join(', ');
  const displaced = isOperator ? undefined : queue.policy;
  if (displaced === undefined && changes.length === 0) return [];
  const parts = [
    // One user policy per queue: a second one does not add to ours, it takes its place.
    ...(displaced === undefined ? [] : [`it may take the place of policy '${displaced.name}'`]),
    ...(changes.length === 0 ? [] : [`it sets ${setting}`]),
  ];
  return [{ policy, queue: queue.name, isOperator, effect: parts.join(', and ') }];
}

/** Of two numbers the broker takes the lower (RabbitMQ, policies); a negative one is no limit. */
function isChanged(name: string, value: unknown, { settings }: OwnQueue): boolean {
  const planned = settings[name];
  if (value === undefined || value === planned) return false;
  if (typeof value !== 'number' || typeof planned !== 'number') return true;
  return planned < 0 || (value >= 0 && value < planned);
}

/** Of equal rank the broker takes any. */
function isOutranked(policy: LivePolicy, queue: OwnQueue): boolean {
  if (queue.inForce.includes(policy.name)) return false;
  return queue.policy !== undefined && policy.priority < 0;
}

function reaches(policy: LivePolicy, queue: OwnQueue): boolean {
  if (queue.inForce.includes(policy.name)) return true;
  const applies = ['all', 'queues', `${queue.type}_queues`].includes(policy.applyTo);
  return applies && isMatch(policy.pattern, queue.name);
}

/** The broker's patterns are Erlang's; what cannot be read here counts only where the broker says that it is in force. */
function isMatch(pattern: string, name: string): boolean {
  try {
    return new RegExp(pattern).test(name);
  } catch {
    return false;
  }
}

function ownQueues(plan: TopologyPlan, live: Pick<LiveTopology, 'queues'>): OwnQueue[] {
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
