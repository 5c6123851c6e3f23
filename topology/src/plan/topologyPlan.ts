/** A plan: everything that must exist on the broker, as data, in the order of its declaration. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import type { BrokerProfile } from './brokerProfile.ts';

/** Exchange types that plans use. */
export type ExchangeType = 'topic' | 'direct' | 'fanout' | 'headers';
/** main: workers consume it. wait: a message stays for the time of its tier. dlq: the dead-letter queue. */
export type QueueRole = 'main' | 'wait' | 'dlq';

/** A kind whose back end is chosen for this broker. */
export interface PlannedKind extends KindDeclaration {
  readonly backend: 'tiers' | 'native';
}

/** One durable exchange. */
export interface ExchangePlan {
  readonly name: string;
  readonly type: ExchangeType;
  /** Alternate exchange: gets the messages that no binding of this exchange matches. */
  readonly alternate: string | undefined;
}

/** One durable queue. */
export interface QueuePlan {
  readonly name: string;
  readonly role: QueueRole;
  /** Empty for the queue of a delay before the first delivery, which belongs to all kinds. */
  readonly kind: string;
  /** Tier of a wait queue, counted from 1; otherwise 0. */
  readonly tier: number;
  /** A queue cannot change its arguments: the broker refuses other ones with 406. */
  readonly arguments: Readonly<Record<string, string | number>>;
  /** Ready messages before the broker refuses more; undefined is unlimited. */
  readonly maxLength: number | undefined;
  readonly ttlMs: number | undefined;
}

/** One binding. Of a `headers` exchange the arguments decide, of others the key. */
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

/** Objects that one kind needs, whatever its back end is. */
export interface KindPlan {
  readonly exchanges: readonly ExchangePlan[];
  readonly queues: readonly QueuePlan[];
  readonly bindings: readonly BindingPlan[];
}

/**
 * Where workers leave the last error of a message before they let the broker dead-letter it: a rejection carries no text, and
 * a dead letter that a worker published could be doubled by a crash. A stream, because many readers look up notes by message
 * id while dead letters come and go. It is no part of any message's path: a note that is lost costs nothing but its text.
 */
export interface NotesPlan {
  /** Name of the stream, and of the fanout exchange in front of it. */
  readonly name: string;
  /** Kind whose dead letters it explains. */
  readonly kind: string;
  /** Arguments of the stream, its bounds among them. */
  readonly arguments: Readonly<Record<string, string | number>>;
}

/** Everything that must exist, in the order of its declaration. Frozen. */
export interface TopologyPlan {
  /** Broker that the plan was made for. */
  readonly broker: BrokerProfile;
  readonly kinds: readonly PlannedKind[];
  readonly exchanges: readonly ExchangePlan[];
  readonly queues: readonly QueuePlan[];
  readonly bindings: readonly BindingPlan[];
  readonly policies: readonly PolicyPlan[];
  /** One for each kind. */
  readonly notes: readonly NotesPlan[];
}
