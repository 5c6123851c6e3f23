/** Creates the metrics of a process; the label sets that are known at its start are exported from the start. */
import { optionalText } from '@fit/contract';
import { type Declaration, planTopology, type TopologyPlan } from '@fit/topology';
import type { Route } from '../route/defineRoute.ts';
import { routePatterns } from './countRequests.ts';
import type { ProcessName } from './metricCatalogue.ts';
import { type KnownLabels, MetricSet } from './metricSet.ts';

export interface ServiceMetricsOptions {
  readonly declaration: Declaration;
  /** The virtual host of the declared queues. */
  readonly vhost: string;
  readonly routes: readonly Route[];
}

export interface ServiceMetrics {
  readonly metrics: MetricSet;
  readonly plan: TopologyPlan;
}

/** The names, roles, limits and lifetimes of a plan are the same for every broker, so that any version serves here. */
const ANY_BROKER = { version: '4.3.6', hasManagement: true } as const;

/** @returns the metrics and the plan, whose queues are the values of the queue labels. */
export function createServiceMetrics(
  process: ProcessName,
  { declaration, vhost, routes }: ServiceMetricsOptions,
): ServiceMetrics {
  const plan = planTopology(declaration, ANY_BROKER);
  const queuesOf = (role?: string) =>
    plan.queues
      .filter((queue) => role === undefined || queue.role === role)
      .map(({ name }) => name);
  const metrics = createMetrics(process, {
    vhost: [vhost],
    queue: queuesOf(),
    mainQueue: queuesOf('main'),
    waitQueue: queuesOf('wait'),
    kind: plan.kinds.map(({ kind }) => kind),
    route: routePatterns(routes),
  });
  exportDeclaredQueues(metrics, plan, vhost);
  return { metrics, plan };
}

/** Creates the metrics of a process that declares no queues, such as cron. */
export function createMetrics(process: ProcessName, known: KnownLabels = {}): MetricSet {
  const metrics = new MetricSet(process, known);
  const { env } = globalThis.process;
  const version = optionalText(env, 'FIT_VERSION') ?? 'dev';
  const commit = optionalText(env, 'FIT_COMMIT') ?? 'unknown';
  metrics.set('app_build_info', { version, commit }, 1);
  return metrics;
}

/** Exports the declared limits, which Prometheus compares with its rules: both are made from the declaration. */
function exportDeclaredQueues(metrics: MetricSet, plan: TopologyPlan, vhost: string): void {
  for (const { name: queue, role, tier, maxLength, ttlMs } of plan.queues) {
    metrics.set('jobs_queue_info', { vhost, queue, role, tier: String(tier) }, 1);
    if (maxLength !== undefined) metrics.set('jobs_queue_max_length', { vhost, queue }, maxLength);
    if (ttlMs !== undefined) metrics.set('jobs_queue_ttl_seconds', { vhost, queue }, ttlMs / 1_000);
  }
}
