/** Alerts on what the other alerts depend on: targets that answer, series that exist, a pipeline that delivers. */
import { JOB_NAMES } from '../config/jobNames.ts';
import type { AlertRule } from './rule.ts';

/** Also the absence: a process found by name in DNS has no `up` at all once its last instance is gone. */
const TARGET_DOWN_EXPR = ['up == 0', ...JOB_NAMES.map((job) => `absent(up{job="${job}"})`)].join(
  '\nor ',
);

/** A misspelt family or virtual host is answered with 200 and no queue, so `up` does not tell. */
const BROKER_SERIES = ['rabbitmq_build_info', 'queue:ready', 'queue:consumers'];

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
