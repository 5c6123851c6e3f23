/** What a change of the topology needs of AMQP. `openHand` of `@fit/topology/amqp` gives one. */

import type { LiveBinding } from '../management/liveTopology.ts';
import type { ExchangePlan, QueuePlan } from '../plan/topologyPlan.ts';

/** Everything may be done again: what is there is left, what is gone is no error. A lost connection rejects all. */
export interface TopologyAdmin {
  /** Of the broker, such as '4.3.6'. */
  readonly version: string;
  /** @throws TopologyError `TOPOLOGY_DIFFERS` where it exists with other arguments. */
  declareExchange(exchange: ExchangePlan): Promise<void>;
  /** @throws as `declareExchange`. */
  declareQueue(queue: QueuePlan): Promise<void>;
  bind(binding: LiveBinding): Promise<void>;
  unbind(binding: LiveBinding): Promise<void>;
  deleteExchange(name: string): Promise<unknown>;
  /** With all that it holds: whoever calls has proven that this is nothing. */
  deleteQueue(name: string): Promise<unknown>;
  /** Fresh, by a passive declare. Undefined where there is no such queue. */
  depthOf(queue: string): Promise<Depth | undefined>;
}

export interface Depth {
  /** Neither unsettled nor held messages are in it. */
  readonly readyCount: number;
  readonly consumerCount: number;
}
