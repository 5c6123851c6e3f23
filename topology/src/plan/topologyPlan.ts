/** A plan: everything that shall exist on the broker, as data, in the order in which it is made. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import type { BrokerProfile } from './brokerProfile.ts';

export type ExchangeType = 'topic' | 'direct' | 'fanout' | 'headers';
export type QueueRole = 'main' | 'wait' | 'dlq';

/** A kind whose back end is chosen for this broker. */
export interface PlannedKind extends KindDeclaration {
  readonly backend: 'tiers' | 'native';
}

export interface ExchangePlan {
  readonly name: string;
  readonly type: ExchangeType;
  /** Takes what no binding of this exchange matches. */
  readonly alternate: string | undefined;
}

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

export interface BindingPlan {
  readonly exchange: string;
  readonly queue: string;
  readonly key: string;
  readonly arguments: Readonly<Record<string, string>>;
}

export interface PolicyPlan {
  readonly name: string;
  readonly pattern: string;
  readonly definition: Readonly<Record<string, number>>;
}

export interface TopologyPlan {
  /** What the plan was made for. */
  readonly broker: BrokerProfile;
  readonly kinds: readonly PlannedKind[];
  readonly exchanges: readonly ExchangePlan[];
  readonly queues: readonly QueuePlan[];
  readonly bindings: readonly BindingPlan[];
  readonly policies: readonly PolicyPlan[];
}
