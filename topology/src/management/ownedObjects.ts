/** Which of the live objects belong to a plan, under its present tiers or under those of before. */
import { reasonHeader } from '../plan/brokerProfile.ts';
import {
  deadLetterExchange,
  isWaitQueue,
  parkExchange,
  retryExchange,
  returnExchange,
} from '../plan/names.ts';
import type { BindingPlan, PlannedKind, TopologyPlan } from '../plan/topologyPlan.ts';
import {
  bindingText,
  type LiveBinding,
  type LiveQueue,
  type LiveTopology,
} from './liveTopology.ts';

/** Stands in for `.retry` while its bindings change: see `planSteps`. */
export function tierChangeExchange(queue: string): string {
  return `${queue}.retry.switch`;
}

/** The topic exchange that publishers write to; it may have readers that are none of ours. */
export function publicExchange(plan: TopologyPlan): string {
  return plan.exchanges.find(({ type }) => type === 'topic')?.name ?? '';
}

/** Written to by nobody but the broker and our own workers. */
export function privateExchanges(plan: TopologyPlan): Set<string> {
  const names = [
    deadLetterExchange,
    retryExchange,
    returnExchange,
    parkExchange,
    tierChangeExchange,
  ];
  return new Set(plan.kinds.flatMap(({ queue }) => names.map((nameOf) => nameOf(queue))));
}

export interface FormerWaitQueue {
  readonly kind: PlannedKind;
  readonly queue: LiveQueue;
}

/** @returns wait queues of other tiers than the plan's. */
export function formerWaitQueues(
  plan: TopologyPlan,
  live: Pick<LiveTopology, 'queues'>,
): FormerWaitQueue[] {
  return live.queues.flatMap((queue) => {
    if (plan.queues.some(({ name }) => name === queue.name)) return [];
    // The longest: a kind's queue may be named like another kind's wait queue.
    const [kind] = plan.kinds
      .filter((candidate) => isWaitQueue(candidate.queue, queue.name))
      .sort((a, b) => b.queue.length - a.queue.length);
    return kind === undefined ? [] : [{ kind, queue }];
  });
}

/** @returns the planned bindings, and those by which the messages of old wait queues come back. */
export function wantedBindings(
  plan: TopologyPlan,
  live: Pick<LiveTopology, 'queues' | 'exchanges'>,
): LiveBinding[] {
  const planned = plan.bindings.map(asLive);
  const returns = formerWaitQueues(plan, live).flatMap(({ kind, queue }) => {
    const source = returnExchange(kind.queue);
    const key = queue.arguments['x-dead-letter-routing-key'];
    const exists = [...plan.exchanges, ...live.exchanges].some(({ name }) => name === source);
    const isOurs = queue.arguments['x-dead-letter-exchange'] === source && exists;
    if (!isOurs || typeof key !== 'string') return [];
    return [asLive({ exchange: source, queue: kind.queue, key, arguments: {} })];
  });
  const isNew = (one: LiveBinding) => !planned.some((other) => isSameBinding(one, other));
  const added = returns.filter(
    (one, index) => isNew(one) && returns.findIndex((other) => isSameBinding(one, other)) === index,
  );
  // The public ones stay last.
  const isPublic = ({ source }: LiveBinding) => source === publicExchange(plan);
  return [...planned.filter((one) => !isPublic(one)), ...added, ...planned.filter(isPublic)];
}

/** By which the switch takes over: every rejected message, and no other. */
export function tierChangeBinding(plan: TopologyPlan, queue: string): LiveBinding {
  return {
    source: deadLetterExchange(queue),
    destination: tierChangeExchange(queue),
    destinationType: 'exchange',
    key: '',
    arguments: { 'x-match': 'all-with-x', [reasonHeader(plan.broker)]: 'rejected' },
  };
}

export function asLive({ exchange, queue, key, arguments: headers }: BindingPlan): LiveBinding {
  return {
    source: exchange,
    destination: queue,
    destinationType: 'queue',
    key,
    arguments: headers,
  };
}

export function isSameBinding(a: LiveBinding, b: LiveBinding): boolean {
  return bindingText(a) === bindingText(b);
}
