/** Owned objects: which live objects belong to a plan, with its tiers or with other ones. No I/O. */
import { reasonHeader } from '../plan/brokerProfile.ts';
import {
  deadLetterExchange,
  firstRetryExchange,
  isDefaultWaitName,
  isDelayName,
  isTierKey,
  parkExchange,
  retryExchange,
  retryExchanges,
  returnExchange,
  spreadExchange,
} from '../plan/names.ts';
import type {
  BindingPlan,
  NotesPlan,
  PlannedKind,
  QueuePlan,
  TopologyPlan,
} from '../plan/topologyPlan.ts';
import { SPREADS } from '../retry/spread.ts';
import {
  bindingText,
  type LiveBinding,
  type LiveExchange,
  type LiveQueue,
  type LiveTopology,
} from './liveTopology.ts';

/** @returns the exchange that replaces `.retry` while the tiers of a queue change: see `topology apply`. */
export function tierChangeExchange(queue: string): string {
  return `${queue}.retry.switch`;
}

/** @returns the exchange that replaces `.retry.first` likewise; only for a queue with patterns of keys. */
export function firstTierChangeExchange(queue: string): string {
  return `${queue}.retry.first.switch`;
}

/** @returns the topic exchange that publishers use; queues that are not in the plan may be bound to it. */
export function publicExchange(plan: TopologyPlan): string {
  return plan.exchanges.find(({ type }) => type === 'topic')?.name ?? '';
}

/** @returns the exchanges that only the broker and the workers of the plan publish to. */
export function privateExchanges(plan: TopologyPlan): Set<string> {
  const names = [
    deadLetterExchange,
    firstRetryExchange,
    retryExchange,
    returnExchange,
    parkExchange,
    firstTierChangeExchange,
    tierChangeExchange,
  ];
  return new Set(
    plan.kinds.flatMap((kind) => [
      ...names.map((exchangeOf) => exchangeOf(kind.queue)),
      ...(kind.jitter === 0 ? [] : kind.tiersMs).map((_, index) => spreadExchange(kind, index + 1)),
    ]),
  );
}

/** @returns the binding of a stream of notes; a stream or exchange that is missing has none. */
export function notesBinding({ name }: NotesPlan): LiveBinding {
  return { source: name, destination: name, destinationType: 'queue', key: '', arguments: {} };
}

/** A wait queue of a tier that is no longer planned. */
export interface FormerWaitQueue {
  /** Kind that it belongs to. */
  readonly kind: PlannedKind;
  /** The queue as it is. */
  readonly queue: LiveQueue;
}

/**
 * The exchange that a queue returns to tells its kind, since a queue may have had a name that is no longer declared; its name
 * does where somebody made it with another exchange, but only a default one: a name that the owner declares, such as
 * `w.{n}`, may be that of a foreign queue.
 * @returns the wait queues of other tiers than the plan's.
 */
export function formerWaitQueues(
  plan: TopologyPlan,
  live: Pick<LiveTopology, 'queues'>,
): FormerWaitQueue[] {
  return live.queues.flatMap((queue) => {
    if (plan.queues.some(({ name }) => name === queue.name)) return [];
    const { 'x-dead-letter-exchange': exchange, 'x-dead-letter-routing-key': key } =
      queue.arguments;
    const isReturning = (candidate: PlannedKind) =>
      returnExchange(candidate.queue) === exchange ||
      // With jitter it leads there through an exchange of its own name.
      (exchange === queue.name && typeof key === 'string' && isTierKey(candidate.queue, key));
    const returning = plan.kinds.find(isReturning);
    if (returning !== undefined) return [{ kind: returning, queue }];
    // The kind with the longest name, because a kind's queue may be named like another kind's wait queue.
    const [kind] = plan.kinds
      .filter((candidate) => isDefaultWaitName(candidate, queue.name))
      .sort((a, b) => b.queue.length - a.queue.length);
    return kind === undefined ? [] : [{ kind, queue }];
  });
}

/** What is left of delays before a first delivery that are no longer declared. */
export interface FormerDelays {
  /** Queues, whose messages are delivered after their delay. */
  readonly queues: readonly LiveQueue[];
  /** Exchanges of the same names, to which publishers of an earlier declaration may still publish. */
  readonly exchanges: readonly LiveExchange[];
}

/** @returns queues and exchanges of other delays than the plan's. */
export function formerDelays(
  plan: TopologyPlan,
  live: Pick<LiveTopology, 'queues' | 'exchanges'>,
): FormerDelays {
  const exchange = publicExchange(plan);
  const isFormer = ({ name }: { readonly name: string }) =>
    isDelayName(exchange, name) && !isPlannedExchange(plan, name);
  return {
    queues: live.queues
      .filter(isFormer)
      .filter(({ arguments: settings }) => settings['x-dead-letter-exchange'] === exchange),
    exchanges: live.exchanges.filter(isFormer).filter(({ type }) => type === 'fanout'),
  };
}

/** @returns the exchanges of former wait queues with jitter, by which their messages return: all of them are still needed. */
export function formerSpreadExchanges(
  plan: TopologyPlan,
  live: Pick<LiveTopology, 'queues' | 'exchanges'>,
): LiveExchange[] {
  const former = new Set(formerWaitQueues(plan, live).map(({ queue }) => queue.name));
  return live.exchanges
    .filter(({ name, type }) => type === 'headers' && !isPlannedExchange(plan, name))
    .filter(
      ({ name }) =>
        former.has(name) ||
        [...SPREADS].some((spread) => former.has(`${name}.${spread}`)) ||
        plan.kinds.some((kind) => isDefaultWaitName(kind, name)),
    );
}

function isPlannedExchange(plan: TopologyPlan, name: string): boolean {
  return plan.exchanges.some((planned) => planned.name === name);
}

/** @returns the planned bindings, and those by which messages of former wait queues return. */
export function wantedBindings(
  plan: TopologyPlan,
  live: Pick<LiveTopology, 'queues' | 'exchanges'>,
): LiveBinding[] {
  const planned = plan.bindings.map(asLive);
  const returns = formerWaitQueues(plan, live).flatMap(({ kind, queue }) => {
    const source = returnExchange(kind.queue);
    const key = queue.arguments['x-dead-letter-routing-key'];
    const exists = [...plan.exchanges, ...live.exchanges].some(({ name }) => name === source);
    const next = queue.arguments['x-dead-letter-exchange'];
    const isOwned = (next === source || next === queue.name) && exists;
    if (!isOwned || typeof key !== 'string') return [];
    return [asLive({ exchange: source, queue: kind.queue, key, arguments: {} })];
  });
  const isNew = (one: LiveBinding) => !planned.some((other) => isSameBinding(one, other));
  const added = returns.filter(
    (one, index) => isNew(one) && returns.findIndex((other) => isSameBinding(one, other)) === index,
  );
  // The public bindings stay last: see `planTopology`.
  const isPublic = ({ source }: LiveBinding) => source === publicExchange(plan);
  return [...planned.filter((one) => !isPublic(one)), ...added, ...planned.filter(isPublic)];
}

/** @returns the binding that leads every rejected message, and no other, to the tier-change exchange. */
export function tierChangeBinding(plan: TopologyPlan, queue: string): LiveBinding {
  return {
    source: deadLetterExchange(queue),
    destination: tierChangeExchange(queue),
    destinationType: 'exchange',
    key: '',
    arguments: { 'x-match': 'all-with-x', [reasonHeader(plan.broker)]: 'rejected' },
  };
}

/** @returns a planned binding in the form of a live one. */
export function asLive({ exchange, queue, key, arguments: headers }: BindingPlan): LiveBinding {
  return {
    source: exchange,
    destination: queue,
    destinationType: 'queue',
    key,
    arguments: headers,
  };
}

/** @returns true if both bindings are the same. */
export function isSameBinding(a: LiveBinding, b: LiveBinding): boolean {
  return bindingText(a) === bindingText(b);
}

/** @returns true for a binding at `.retry`, which chooses the wait queue: beside one of other tiers it would duplicate each rejected message. */
export function isRetryBinding(
  plan: Pick<TopologyPlan, 'kinds'>,
  { exchange }: BindingPlan,
): boolean {
  return plan.kinds.some(({ queue }) => retryExchanges(queue).includes(exchange));
}

/** What of a virtual host shows which tiers are applied. */
export interface TierReading extends Pick<LiveTopology, 'queues' | 'bindings'> {
  /** Main queues whose tier-change exchange exists: `topology apply` is running, or was ended halfway. */
  readonly changingQueues: readonly string[];
}

/** @returns the main queues of kinds that have other tiers than the plan's, or get other tiers now. */
export function queuesWithOtherTiers(plan: TopologyPlan, reading: TierReading): string[] {
  const planned = new Set(plan.bindings.map((one) => bindingText(asLive(one))));
  const others = new Set([
    ...reading.changingQueues,
    ...formerWaitQueues(plan, reading).map(({ kind }) => kind.queue),
  ]);
  return plan.kinds
    .map(({ queue }) => queue)
    .filter(
      (queue) =>
        others.has(queue) ||
        reading.bindings.some(
          (one) => retryExchanges(queue).includes(one.source) && !planned.has(bindingText(one)),
        ),
    );
}

/**
 * @param queues main queues of the kinds that have other tiers.
 * @returns the plan without their wait queues and without their bindings at `.retry`. Of their bindings at `.return` those
 * remain that an existing wait queue needs; `topology drain` removes the others together with their queue.
 */
export function withoutTiers(
  plan: TopologyPlan,
  queues: readonly string[],
  live: Pick<LiveTopology, 'queues'>,
): TopologyPlan {
  const isOfKind = (kindName: string) =>
    plan.kinds.some(({ kind, queue }) => kind === kindName && queues.includes(queue));
  const isUsed = ({ exchange, key }: BindingPlan) =>
    live.queues.some(
      ({ arguments: settings }) =>
        settings['x-dead-letter-exchange'] === exchange &&
        settings['x-dead-letter-routing-key'] === key,
    );
  const isWait = ({ role, kind }: Pick<QueuePlan, 'role' | 'kind'>) =>
    role === 'wait' && isOfKind(kind);
  const waits = new Set(plan.queues.filter(isWait).map(({ name }) => name));
  return {
    ...plan,
    // An exchange with the name of a wait queue belongs to it.
    exchanges: plan.exchanges.filter(({ name }) => !waits.has(name)),
    queues: plan.queues.filter((queue) => !isWait(queue)),
    bindings: plan.bindings
      .filter(({ exchange }) => !waits.has(exchange))
      .filter(({ exchange }) => !queues.some((queue) => retryExchanges(queue).includes(exchange)))
      .filter(
        (one) => !queues.some((queue) => returnExchange(queue) === one.exchange) || isUsed(one),
      ),
  };
}
