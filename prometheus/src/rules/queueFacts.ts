/** What was declared for each queue, as rules: the broker exports depth but never the limit (rabbitmq-server#9632). */
import type { QueuePlan, TopologyPlan } from '@fit/topology';
import type { RecordingRule } from './rule.ts';

/**
 * Rules and not metrics of the processes, so that fill is known while both processes are down. The limit exists only on
 * queues that have one, the TTL likewise; so every question about a role joins `queue:info`, which all queues have.
 */
export function queueFacts(plan: TopologyPlan, vhost: string): RecordingRule[] {
  return plan.queues.flatMap((queue) => [
    infoRule(queue, vhost),
    ...factRule('queue:max_length', queue.maxLength, { vhost, queue: queue.name }),
    ...factRule('queue:ttl_seconds', seconds(queue.ttlMs), { vhost, queue: queue.name }),
    ...factRule('queue:return_limit', returnLimit(queue, plan), { vhost, queue: queue.name }),
  ]);
}

/** A wait queue has no limit of its own: what matters is the one that its messages meet when they come back. */
function returnLimit({ role, kind }: QueuePlan, { queues }: TopologyPlan): number | undefined {
  if (role !== 'wait') return undefined;
  return queues.find((queue) => queue.role === 'main' && queue.kind === kind)?.maxLength;
}

function infoRule({ name, role, tier }: QueuePlan, vhost: string): RecordingRule {
  const labels = { vhost, queue: name, role, tier: String(tier) };
  return { record: 'queue:info', expr: 'vector(1)', labels };
}

function factRule(
  record: string,
  value: number | undefined,
  labels: Readonly<Record<string, string>>,
): RecordingRule[] {
  return value === undefined ? [] : [{ record, expr: `vector(${value})`, labels }];
}

function seconds(durationMs: number | undefined): number | undefined {
  return durationMs === undefined ? undefined : durationMs / 1000;
}
