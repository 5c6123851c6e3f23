/** The broker's routing as pure functions over a plan: of a published message, and of one that dies in a queue. */
import { matchesPattern } from '../declaration/keyPattern.ts';
import { type BrokerProfile, reasonHeader } from '../plan/brokerProfile.ts';
import type { BindingPlan, ExchangePlan, QueuePlan, TopologyPlan } from '../plan/topologyPlan.ts';
import { SPREAD_HEADER } from '../retry/spread.ts';

/** What routing depends on. */
export interface RoutedMessage {
  /** Routing key. */
  readonly key: string;
  /** Reason of the last death; absent on the first publish. */
  readonly reason?: string;
  /** Its header `retry-spread`, if it has one. */
  readonly spread?: string | undefined;
}

/**
 * Follows alternate exchanges.
 * @returns the queues that a message reaches, each once, in the order of the plan; empty means returned or dropped.
 */
export function route(plan: TopologyPlan, exchangeName: string, message: RoutedMessage): string[] {
  const seen = new Set<string>();
  let exchange = plan.exchanges.find(({ name }) => name === exchangeName);
  while (exchange !== undefined && !seen.has(exchange.name)) {
    seen.add(exchange.name);
    const queues = matches(plan, exchange, message);
    if (queues.length > 0) return queues;
    const alternate: string | undefined = exchange.alternate;
    exchange = plan.exchanges.find(({ name }) => name === alternate);
  }
  return [];
}

type Match = (plan: TopologyPlan, binding: BindingPlan, message: RoutedMessage) => boolean;

const isPatternMatch: Match = (_, binding, { key }) => matchesPattern(binding.key, key);
const isKeyMatch: Match = (_, binding, { key }) => binding.key === key;

const MATCHES: Readonly<Partial<Record<ExchangePlan['type'], Match>>> = {
  topic: isPatternMatch,
  direct: isKeyMatch,
  fanout: () => true,
  headers: ({ broker }, binding, message) => areHeadersMatched(broker, binding, message),
};

/** For an exchange type that is not planned. */
const isNoMatch: Match = () => false;

function matches(plan: TopologyPlan, exchange: ExchangePlan, message: RoutedMessage): string[] {
  const isMatch = MATCHES[exchange.type] ?? isNoMatch;
  const queues = bindingsAt(plan, exchange.name)
    .filter((binding) => isMatch(plan, binding, message))
    .map((binding) => binding.queue);
  return [...new Set(queues)];
}

/** By the list of a plan, and by exchange: the proof of many queues would look at all bindings for each message. */
const byExchange = new WeakMap<readonly BindingPlan[], ReadonlyMap<string, BindingPlan[]>>();

function bindingsAt({ bindings }: TopologyPlan, exchange: string): readonly BindingPlan[] {
  let found = byExchange.get(bindings);
  if (found === undefined) {
    found = Map.groupBy(bindings, (binding) => binding.exchange);
    byExchange.set(bindings, found);
  }
  return found.get(exchange) ?? [];
}

function areHeadersMatched(
  broker: BrokerProfile,
  binding: BindingPlan,
  { reason, spread }: RoutedMessage,
): boolean {
  const { 'x-match': match, ...wanted } = binding.arguments;
  if (match !== 'all' && match !== 'all-with-x') return false;
  return Object.entries(wanted).every(([name, value]) => {
    // `all` ignores headers that begin with x-, so such a binding matches every message (measured).
    if (name.startsWith('x-'))
      return match !== 'all-with-x' || (name === reasonHeader(broker) && value === reason);
    return name === SPREAD_HEADER && value === spread;
  });
}

/** The broker's reasons for a death, that is for dead-lettering a message (RabbitMQ, dead letter exchanges). */
export type DeathReason = 'rejected' | 'delivery_limit' | 'expired' | 'maxlen';

/** A message in a queue. */
export interface MessagePosition {
  /** Queue that holds it. */
  readonly queue: string;
  /** Routing key that it came with. */
  readonly key: string;
  /** Its header `retry-spread`, which it keeps. */
  readonly spread?: string | undefined;
}

/** Where a message goes when it dies in a queue. */
export interface DeathRoute extends MessagePosition {
  /** Why it dies. */
  readonly reason: DeathReason;
  /** Its next queues. Several mean copies; none means that the message is lost or awaits transfer for ever. */
  readonly next: readonly MessagePosition[];
}

/** @returns the reasons for which a message can die in this queue. Only a main queue has consumers that reject. */
export function deathReasons(queue: QueuePlan): DeathReason[] {
  if (queue.arguments['x-dead-letter-exchange'] === undefined) return [];
  const isQuorum = queue.arguments['x-queue-type'] === 'quorum';
  const dropsHead =
    queue.arguments['x-overflow'] === 'drop-head' &&
    (queue.role === 'main' || queue.maxLength !== undefined);
  return [
    ...(queue.role === 'main' ? (['rejected'] as const) : []),
    ...(queue.role === 'main' && isQuorum ? (['delivery_limit'] as const) : []),
    ...(queue.ttlMs === undefined ? [] : (['expired'] as const)),
    ...(dropsHead ? (['maxlen'] as const) : []),
  ];
}

/** @returns the next queues of a message that dies for this reason; empty if the queue has no dead-letter exchange. */
export function afterDeath(
  plan: TopologyPlan,
  place: MessagePosition,
  reason: DeathReason,
): MessagePosition[] {
  const queue = plan.queues.find(({ name }) => name === place.queue);
  const exchange = queue?.arguments['x-dead-letter-exchange']?.toString();
  if (queue === undefined || exchange === undefined) return [];
  const key = queue.arguments['x-dead-letter-routing-key']?.toString() ?? place.key;
  const { spread } = place;
  return route(plan, exchange, { key, reason, spread }).map((name) => ({
    queue: name,
    key,
    spread,
  }));
}

/** @returns every death that a message published with this key and spread can meet, each once; at most queues × keys × reasons. */
export function reachableDeaths(
  plan: TopologyPlan,
  exchange: string,
  { key, spread }: Omit<MessagePosition, 'queue'>,
): DeathRoute[] {
  const open: MessagePosition[] = route(plan, exchange, { key }).map((queue) => ({
    queue,
    key,
    spread,
  }));
  const seen = new Set(open.map(positionId));
  const deaths: DeathRoute[] = [];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { queue: name } = place;
    const queue = plan.queues.find((candidate) => candidate.name === name);
    for (const reason of queue === undefined ? [] : deathReasons(queue)) {
      const next = afterDeath(plan, place, reason);
      deaths.push({ ...place, reason, next });
      for (const target of next.filter((candidate) => !seen.has(positionId(candidate)))) {
        seen.add(positionId(target));
        open.push(target);
      }
    }
  }
  return deaths;
}

/** @returns an identity of a position: neither a queue name nor a key has a space. */
export function positionId(place: MessagePosition): string {
  return `${place.queue} ${place.key} ${place.spread ?? ''}`;
}
