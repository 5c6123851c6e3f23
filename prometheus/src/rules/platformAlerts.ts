/** Alerts on what the other alerts depend on: targets that answer, a broker with room, series that exist, a pipeline that delivers. */
import { WATCHED_JOBS } from '../config/jobNames.ts';
import type { AlertRule } from './rule.ts';

/** Also the absence: a process found by name in DNS has no `up` at all once its last instance is gone. */
const TARGET_DOWN_EXPR = ['up == 0', ...WATCHED_JOBS.map((job) => `absent(up{job="${job}"})`)].join(
  '\nor ',
);

/** A misspelt family or virtual host is answered with 200 and no queue, so `up` does not tell. */
const BROKER_SERIES = ['rabbitmq_build_info', 'queue:ready', 'queue:consumers'];

/**
 * Two minutes at a time: what is dropped while Alertmanager starts is sent again a minute later and is no trouble. What a
 * receiver refuses is tried anew in each group interval, so its count goes on rising; by integration and reason it is one trouble.
 */
const PIPELINE_EXPR = [
  'increase(prometheus_rule_evaluation_failures_total[2m]) > 0',
  'or increase(prometheus_notifications_dropped_total[2m]) > 0',
  'or sum by (job, instance) (increase(alertmanager_notifications_failed_total[2m])) > 0',
].join('\n');

export const PLATFORM_ALERTS: readonly AlertRule[] = [
  {
    alert: 'TargetDown',
    expr: TARGET_DOWN_EXPR,
    for: '30s',
    labels: { severity: 'critical' },
    annotations: {
      summary: '{{ $labels.job }} {{ $labels.instance }} does not answer',
      description: 'It is down or hangs; what it exports is unknown since then.',
      remedy: 'Start it and read the end of its log.',
    },
  },
  {
    alert: 'BrokerMetricsAbsent',
    expr: BROKER_SERIES.map((series) => `absent(${series})`).join('\nor '),
    for: '1m',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The broker answers without the series that the alerts need',
      description: 'No queue alert can fire.',
      remedy:
        'Check virtual host and families of the job rabbitmq-queues, and that the topology was asserted.',
    },
  },
  {
    alert: 'BrokerAlarm',
    expr: [
      'max by (instance) (rabbitmq_alarms_memory_used_watermark) > 0',
      'or max by (instance) (rabbitmq_alarms_free_disk_space_watermark) > 0',
    ].join('\n'),
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The broker blocks all publishers: no memory or no disk left',
      description: 'New jobs stay in the outbox; retries and letters are held. Nothing is lost.',
      remedy: 'Free memory or disk on the broker’s machine; drain queues.',
    },
  },
  {
    alert: 'BrokerMemoryHigh',
    expr: 'max by (instance) (rabbitmq_process_resident_memory_bytes / rabbitmq_resident_memory_limit_bytes) > 0.8',
    for: '5m',
    labels: { severity: 'warning' },
    annotations: {
      summary:
        'The broker uses {{ $value | humanizePercentage }} of the memory that raises its alarm',
      description: 'At 100 % it blocks all publishers.',
      remedy: 'Drain queues, or give it more memory.',
    },
  },
  {
    alert: 'BrokerDiskLow',
    expr: 'max by (instance) (rabbitmq_disk_space_available_bytes)\n  < 2 * max by (instance) (rabbitmq_disk_space_available_limit_bytes)',
    for: '5m',
    labels: { severity: 'warning' },
    annotations: {
      summary: 'The broker has {{ $value | humanize1024 }}B of disk left',
      description: 'At half of that it blocks all publishers.',
      remedy: 'Free disk on its machine.',
    },
  },
  {
    alert: 'AlertPipelineBroken',
    expr: PIPELINE_EXPR,
    for: '5m',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $labels.job }} fails to evaluate rules or to deliver alerts',
      description:
        'Alerts may be missing: a rule fails, Alertmanager is away, or a receiver refuses.',
      remedy: 'Read the logs of Prometheus and Alertmanager.',
    },
  },
  {
    alert: 'Watchdog',
    expr: 'vector(1)',
    labels: { severity: 'none' },
    annotations: {
      summary: 'Alerting works',
      description: 'Fires always. Who stops receiving it knows that alerting is broken.',
      remedy: 'None while it fires. When it stops: mend Prometheus or Alertmanager.',
    },
  },
];
