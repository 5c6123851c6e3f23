/** The limits that the broker enforces, beside those declared: a policy changed by hand is seen nowhere else. */
import type { MetricSet } from '@fit/http';
import type { TopologyPlan } from '@fit/topology';
import { ManagementApi } from '@fit/topology/live';

export interface LiveLimitOptions {
  /** With credentials; undefined: the limits are queue arguments, which nobody can change. */
  readonly managementUrl: string | undefined;
  readonly vhost: string;
}

/** What the management API says of a queue, as far as it limits its length. */
interface LiveQueue {
  readonly name: string;
  readonly arguments?: { readonly 'x-max-length'?: number };
  readonly effective_policy_definition?: { readonly 'max-length'?: number };
}

const REFRESH_MS = 10_000;

/**
 * While the API does not answer the last figures stand: the broker that is down has alerts of its own.
 * @returns a function that ends the refreshing.
 */
export function exportLiveLimits(
  metrics: MetricSet,
  plan: TopologyPlan,
  { managementUrl, vhost }: LiveLimitOptions,
): () => Promise<void> {
  if (managementUrl === undefined) return () => Promise.resolve();
  const limited = plan.queues.filter(({ maxLength }) => maxLength !== undefined);
  const names = new Set(limited.map(({ name }) => name));
  const api = new ManagementApi(managementUrl, vhost);
  const refresh = async () => {
    const live = (await api.get(['queues', vhost])) as readonly LiveQueue[];
    for (const queue of live) {
      if (!names.has(queue.name)) continue;
      const labels = { vhost, queue: queue.name };
      metrics.set('jobs_queue_live_max_length', labels, enforcedLimit(queue));
    }
  };
  const timer = setInterval(() => void refresh().catch(() => undefined), REFRESH_MS);
  void refresh().catch(() => undefined);
  return () => {
    clearInterval(timer);
    return Promise.resolve();
  };
}

/** The broker takes the lower of argument and policy; without any a queue holds what it is given. */
export function enforcedLimit(queue: LiveQueue): number {
  return Math.min(
    queue.arguments?.['x-max-length'] ?? Infinity,
    queue.effective_policy_definition?.['max-length'] ?? Infinity,
  );
}
