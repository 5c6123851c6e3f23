/** Counts publishes and the events of broker connections. */
import { route, type TopologyEvent, type TopologyPlan } from '@fit/topology';
import { OTHER } from './metricCatalogue.ts';
import type { MetricSet } from './metricSet.ts';

/**
 * Counts connections that are lost together as one loss, because a broker that restarts ends all connections of the process.
 * @returns the listener for the connections of the process.
 */
export function countSessions(metrics: MetricSet): (event: TopologyEvent) => void {
  let lostCount = 0;
  return (event) => {
    if (event.type === 'disconnected') {
      if (lostCount === 0) metrics.add('amqp_reconnects_total', {});
      lostCount += 1;
    }
    // The first connection of a session follows no loss, so the number must not fall below 0.
    if (event.type === 'connected') lostCount = Math.max(0, lostCount - 1);
    if (event.type !== 'channelFailed') return;
    const { code } = Object(event.error) as { code?: unknown };
    metrics.add('amqp_channel_errors_total', { code: String(code) });
  };
}

/** Upper bound of the remembered pairs of exchange and key, so that unexpected keys cannot fill the memory. */
const ADDRESSES_LIMIT = 100;

/** Values of the label `outcome` of a publish. */
const OUTCOMES = {
  confirmed: 'confirmed',
  QUEUE_FULL: 'nacked',
  UNROUTABLE: 'returned',
  INVALID: 'unsendable',
  TIMEOUT: 'timeout',
  CONNECTION_LOST: 'error',
  CLOSED: 'error',
} as const;

/** @returns the listener for every publisher and worker; the plan says to which queue an exchange and key lead. */
export function countPublishes(
  metrics: MetricSet,
  plan: TopologyPlan,
): (event: TopologyEvent) => void {
  const queues = new Map<string, string>();
  const queueOf = (exchange: string, key: string): string => {
    const address = `${exchange} ${key}`;
    const queue = queues.get(address) ?? route(plan, exchange, { key })[0] ?? OTHER;
    if (queues.size < ADDRESSES_LIMIT) queues.set(address, queue);
    return queue;
  };
  let last = { exchange: '', key: '', queue: OTHER as string };
  return (event) => {
    if (event.type !== 'published' && event.type !== 'republished') return;
    const { exchange, key, durationMs } = event;
    const outcome = OUTCOMES[event.result];
    // Most messages go where the one before went.
    if (exchange !== last.exchange || key !== last.key || last.exchange === '')
      last = { exchange, key, queue: queueOf(exchange, key) };
    const { queue } = last;
    metrics.add('jobs_published_total', { queue, outcome });
    // A publish without a confirm has no duration.
    if (outcome !== 'error' && outcome !== 'timeout' && outcome !== 'unsendable')
      metrics.observe('jobs_publish_confirm_seconds', { queue }, durationMs / 1_000);
  };
}
