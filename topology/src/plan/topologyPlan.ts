/** A plan: everything that shall exist on the broker, as data, in the order in which it is made. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import type { BrokerProfile } from './brokerProfile.ts';

export type ExchangeType = 'topic' | 'direct' | 'fanout' | 'headers';
/** main: worked off. wait: holds a message for its tier. dlq: keeps letters. */
export type QueueRole = 'main' | 'wait' | 'dlq';

/** A kind whose back end is chosen for this broker. */
export interface PlannedKind extends KindDeclaration {
  readonly backend: 'tiers' | 'native';
}

/** One durable exchange. */
export interface ExchangePlan {
  readonly name: string;
  readonly type: ExchangeType;
  /** Takes what no binding of this exchange matches. */
  readonly alternate: string | undefined;
}

/** One durable queue. */
export interface QueuePlan {
  readonly name: string;
  readonly role: QueueRole;
  readonly kind: string;
  /** 1..N for a wait queue, otherwise 0. */
  readonly tier: number;
  /** Identity: a queue with other arguments is another queue, and declaring it is refused with 406. */
  readonly arguments: Readonly<Record<string, string | number>>;
  /** What the broker holds before it refuses; undefined is unlimited. */
  readonly maxLength: number | undefined;
  readonly ttlMs: number | undefined;
}

/** One binding; where the exchange is of type `headers` the arguments choose, otherwise the key. */
export interface BindingPlan {
  readonly exchange: string;
  readonly queue: string;
  readonly key: string;
  readonly arguments: Readonly<Record<string, string>>;
}

/** One user policy, which the broker applies to one queue. */
export interface PolicyPlan {
  readonly name: string;
  readonly pattern: string;
  /** The broker's own keys: `max-length` and `delivery-limit` in messages and deliveries; -1 is without a limit. */
  readonly definition: Readonly<Record<string, number>>;
}

/** What one kind needs, whichever its back end is. */
export interface KindPlan {
  readonly exchanges: readonly ExchangePlan[];
  readonly queues: readonly QueuePlan[];
  readonly bindings: readonly BindingPlan[];
}

/** Everything that shall exist, in the order in which it is made. Frozen. */
export interface TopologyPlan {
  /** What the plan was made for. */
  readonly broker: BrokerProfile;
  readonly kinds: readonly PlannedKind[];
  readonly exchanges: readonly ExchangePlan[];
  readonly queues: readonly QueuePlan[];
  readonly bindings: readonly BindingPlan[];
  readonly policies: readonly PolicyPlan[];
}
