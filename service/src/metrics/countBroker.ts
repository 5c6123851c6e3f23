/** Publishes and sessions → metrics. */
import { route, type TopologyPlan } from '@fit/topology';
import type { PublishEnd, SessionEvent } from '@fit/topology/amqp';
import { OTHER } from './definition.ts';
import type { MetricSet } from './metricSet.ts';

/**
 * A broker that restarts ends every connection of the process: that is one loss, however many there are.
 * @returns the listener of all sessions of the process together.
 */
export function countSessions(metrics: MetricSet): (event: SessionEvent) => void {
  let lostCount = 0;
  return (event) => {
    if (event.type === 'disconnected') {
      if (lostCount === 0) metrics.add('amqp_reconnects_total', {});
      lostCount += 1;
    }
    // The first connection of each session follows no loss.
    if (event.type === 'connected') lostCount = Math.max(0, lostCount - 1);
    if (event.type !== 'channelFailed') return;
    const { code } = event.error as Error & { code?: unknown };
    metrics.add('amqp_channel_errors_total', { code: String(code) });
  };
}

/** Keys are few; a flood of others must not fill the memory. */
const ADDRESSES_LIMIT = 100;

/** @returns the listener of every publisher; it knows by the plan to which queue exchange and key lead. */
export function countPublishes(metrics: MetricSet, plan: TopologyPlan): (end: PublishEnd) => void {
  const queues = new Map<string, string>();
  return ({ exchange, key, outcome, durationMs }) => {
    const address = `${exchange} ${key}`;
    const queue = queues.get(address) ?? route(plan, exchange, { key })[0] ?? OTHER;
    if (queues.size < ADDRESSES_LIMIT) queues.set(address, queue);
    metrics.add('jobs_published_total', { queue, outcome });
    // Without an answer there is nothing to time.
    if (outcome !== 'error' && outcome !== 'timeout')
      metrics.observe('jobs_publish_confirm_seconds', { queue }, durationMs / 1_000);
  };
}
