/** The broker's routing, as a pure function over a plan. The proofs and the documentation walk with it. */
import { type BrokerProfile, reasonHeader } from '../plan/brokerProfile.ts';
import type { BindingPlan, ExchangePlan, TopologyPlan } from '../plan/topologyPlan.ts';

/** A message as routing sees it. */
export interface Routed {
  readonly key: string;
  /** Reason of the last death; absent on a first publish. */
  readonly reason?: string;
}

/**
 * @returns the queues that a message reaches, each once, in the order of the plan; empty means returned or dropped.
 * Alternate exchanges are honoured, chained too. Topic keys are concrete in a plan, so they compare as equal.
 */
export function route(plan: TopologyPlan, exchangeName: string, message: Routed): string[] {
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

type Match = (plan: TopologyPlan, binding: BindingPlan, message: Routed) => boolean;

const isKeyMatch: Match = (_, binding, { key }) => binding.key === key;

const MATCHES: Readonly<Partial<Record<ExchangePlan['type'], Match>>> = {
  topic: isKeyMatch,
  direct: isKeyMatch,
  fanout: () => true,
  headers: ({ broker }, binding, { reason }) => isReasonMatch(broker, binding, reason),
};

/** The broker knows no other type. */
const isNoMatch: Match = () => false;

function matches(plan: TopologyPlan, exchange: ExchangePlan, message: Routed): string[] {
  const isMatch = MATCHES[exchange.type] ?? isNoMatch;
  const queues = plan.bindings
    .filter((binding) => binding.exchange === exchange.name && isMatch(plan, binding, message))
    .map((binding) => binding.queue);
  return [...new Set(queues)];
}

function isReasonMatch(
  broker: BrokerProfile,
  binding: BindingPlan,
  reason: string | undefined,
): boolean {
  // Plain `all` skips headers that begin with x-, so such a binding matches every message (measured).
  if (binding.arguments['x-match'] !== 'all-with-x') return true;
  return binding.arguments[reasonHeader(broker)] === reason;
}
