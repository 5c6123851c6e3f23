/** Where a message can go after each way to die in a queue. The proofs, the explanation and the drawing walk with it. */
import type { QueuePlan, TopologyPlan } from '../plan/topologyPlan.ts';
import { route } from './route.ts';

/** The broker's reasons for a death (RabbitMQ, dead letter exchanges). */
export type DeathReason = 'rejected' | 'delivery_limit' | 'expired' | 'maxlen';

/** A message at rest. */
export interface MessagePosition {
  readonly queue: string;
  readonly key: string;
}

export interface DeathRoute extends MessagePosition {
  readonly reason: DeathReason;
  /** Where the message is next; several are copies, none means held for ever or lost. */
  readonly next: readonly MessagePosition[];
}

/** The ways in which a message can die in this queue, as planned. Only a main queue has consumers that reject. */
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

/** @returns where a message goes that dies there of that; empty where the queue has no dead-letter exchange. */
export function afterDeath(
  plan: TopologyPlan,
  place: MessagePosition,
  reason: DeathReason,
): MessagePosition[] {
  const queue = plan.queues.find(({ name }) => name === place.queue);
  const exchange = queue?.arguments['x-dead-letter-exchange']?.toString();
  if (queue === undefined || exchange === undefined) return [];
  const key = queue.arguments['x-dead-letter-routing-key']?.toString() ?? place.key;
  return route(plan, exchange, { key, reason }).map((name) => ({ queue: name, key }));
}

/** Every death that a message published there with that key can meet, each once. Bounded by queues × keys. */
export function reachableDeaths(plan: TopologyPlan, exchange: string, key: string): DeathRoute[] {
  const open: MessagePosition[] = route(plan, exchange, { key }).map((queue) => ({ queue, key }));
  const seen = new Set(open.map(nameOf));
  const deaths: DeathRoute[] = [];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { queue: name } = place;
    const queue = plan.queues.find((candidate) => candidate.name === name);
    for (const reason of queue === undefined ? [] : deathReasons(queue)) {
      const next = afterDeath(plan, place, reason);
      deaths.push({ ...place, reason, next });
      for (const target of next.filter((candidate) => !seen.has(nameOf(candidate)))) {
        seen.add(nameOf(target));
        open.push(target);
      }
    }
  }
  return deaths;
}

/** One name for a place; a space is in no queue name and no key. */
export function nameOf(place: MessagePosition): string {
  return `${place.queue} ${place.key}`;
}
