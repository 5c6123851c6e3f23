/** The series that dashboards and rules read, and the exported metrics that nobody reads, with the reasons. */
import { planTopology } from '@fit/topology';
import { CATALOGUE } from '../../../service/src/metrics/metricCatalogue.ts';
import { DASHBOARDS } from '../../src/dashboards/renderDashboards.ts';
import { listRules } from '../../src/index.ts';
import { createWodAlone } from './createWodAlone.ts';
import { metricNames } from './metricNames.ts';
import { queriesIn } from './queriesIn.ts';

const PLAN = planTopology(createWodAlone('default'), {
  version: '4.3.6',
  hasManagement: true,
});

export const PANEL_EXPRESSIONS = DASHBOARDS.flatMap(queriesIn).map(({ expr }) => expr);
export const RULES = listRules(PLAN);
export const RULE_EXPRESSIONS = RULES.map(({ expr }) => expr);

/** Names of the recordings. */
export const RECORDED: ReadonlySet<string> = new Set(
  RULES.flatMap((rule) => ('record' in rule ? [rule.record] : [])),
);

/** Metrics of FIT; a histogram by its name without suffix. */
export const EXPORTED: ReadonlyMap<string, { readonly kind: string }> = new Map(
  CATALOGUE.flatMap(({ metrics }) => Object.entries(metrics)),
);

/** @returns the metric of a series: `x` for `x_bucket` if x is a histogram of FIT. */
export function metricOf(series: string): string {
  const whole = series.replace(/_(?:bucket|sum|count)$/, '');
  return EXPORTED.get(whole)?.kind === 'histogram' ? whole : series;
}

/** @returns the metrics that the expressions read, each once, histograms of FIT without suffix. */
export function readBy(expressions: readonly string[]): ReadonlySet<string> {
  return new Set(expressions.flatMap(metricNames).map(metricOf));
}

/** Series of other programs. The live test finds each of them at a real broker, Prometheus or Alertmanager. */
export const FOREIGN: ReadonlySet<string> = new Set([
  ...['up', 'ALERTS', 'scrape_duration_seconds', 'scrape_samples_scraped'],
  'rabbitmq_build_info',
  ...['rabbitmq_connections', 'rabbitmq_channels'],
  ...['rabbitmq_process_resident_memory_bytes', 'rabbitmq_resident_memory_limit_bytes'],
  ...['rabbitmq_disk_space_available_bytes', 'rabbitmq_disk_space_available_limit_bytes'],
  'rabbitmq_alarms_memory_used_watermark',
  'rabbitmq_alarms_free_disk_space_watermark',
  'rabbitmq_global_messages_received_total',
  'rabbitmq_global_messages_received_confirm_total',
  'rabbitmq_global_messages_confirmed_total',
  'rabbitmq_global_messages_delivered_total',
  'rabbitmq_global_messages_acknowledged_total',
  'rabbitmq_global_messages_unroutable_returned_total',
  'rabbitmq_global_messages_unroutable_dropped_total',
  'rabbitmq_global_messages_dead_lettered_maxlen_total',
  'rabbitmq_global_messages_dead_lettered_expired_total',
  'rabbitmq_global_messages_dead_lettered_rejected_total',
  'rabbitmq_global_messages_dead_lettered_delivery_limit_total',
  ...['rabbitmq_detailed_queue_messages', 'rabbitmq_detailed_queue_messages_ready'],
  ...['rabbitmq_detailed_queue_messages_unacked', 'rabbitmq_detailed_queue_consumers'],
  'prometheus_rule_evaluation_failures_total',
  'prometheus_rule_group_last_duration_seconds',
  'prometheus_notifications_dropped_total',
  'prometheus_notifications_alertmanagers_discovered',
  ...['alertmanager_notifications_total', 'alertmanager_notifications_failed_total'],
]);

const LEAK_HUNT = 'for finding a leak by hand; the heap in use shows that there is one';
const OTHER_QUANTILE = 'the 99th percentile is shown, since requests and heartbeats depend on it';
const PART = 'a part of process_cpu_seconds_total';
const OPEN_THINGS = 'for inspection by hand; sockets and files are counted by process_open_fds';

/** Exported metrics that no panel and no rule reads, with the reason. */
export const UNREAD: ReadonlyMap<string, string> = new Map([
  ['process_cpu_user_seconds_total', PART],
  ['process_cpu_system_seconds_total', PART],
  ['process_virtual_memory_bytes', 'reserved, not used; the resident size is what ends a process'],
  ['process_heap_bytes', 'a part of the resident size, which is shown'],
  ['process_max_fds', 'a constant of the machine'],
  ['nodejs_eventloop_lag_seconds', OTHER_QUANTILE],
  ['nodejs_eventloop_lag_min_seconds', OTHER_QUANTILE],
  ['nodejs_eventloop_lag_max_seconds', OTHER_QUANTILE],
  ['nodejs_eventloop_lag_mean_seconds', OTHER_QUANTILE],
  ['nodejs_eventloop_lag_stddev_seconds', OTHER_QUANTILE],
  ['nodejs_eventloop_lag_p50_seconds', OTHER_QUANTILE],
  ['nodejs_eventloop_lag_p90_seconds', OTHER_QUANTILE],
  ['nodejs_active_resources', OPEN_THINGS],
  ['nodejs_active_resources_total', OPEN_THINGS],
  ['nodejs_active_handles', OPEN_THINGS],
  ['nodejs_active_handles_total', OPEN_THINGS],
  ['nodejs_active_requests', OPEN_THINGS],
  ['nodejs_active_requests_total', OPEN_THINGS],
  ['nodejs_heap_size_total_bytes', LEAK_HUNT],
  ['nodejs_external_memory_bytes', LEAK_HUNT],
  ['nodejs_heap_space_size_total_bytes', LEAK_HUNT],
  ['nodejs_heap_space_size_used_bytes', LEAK_HUNT],
  ['nodejs_heap_space_size_available_bytes', LEAK_HUNT],
  [
    'nodejs_gc_duration_seconds',
    'its count is too low; the effect on jobs is seen in the event loop’s lag',
  ],
  ['nodejs_version_info', 'Node is pinned by the lock file; a change of it is a deploy'],
]);
