/** Rules on what jobs and alerts depend on: broker, database, processes, and the alerting itself. */
import { WATCHED_JOBS } from '../config/targets.ts';
import { sumOfIncreases } from './promql.ts';
import type { AlertRule, RecordingRule } from './rule.ts';
import type { Windows } from './windows.ts';

/** Counters of the broker's `/metrics`, over all virtual hosts; they start at 0 when the broker starts. */
const BROKER = 'rabbitmq_global_messages_';

/** The reasons for which a broker removes a message from a queue; without a dead-letter exchange the message is destroyed. */
const DESTROYED = ['maxlen', 'expired', 'rejected', 'delivery_limit'].map(
  (reason) => `${BROKER}dead_lettered_${reason}_total{dead_letter_strategy="disabled"}`,
);

/** How a message leaves the broker although nobody has processed it, by the label `how`. */
export const brokerRecords = ({ lookback }: Windows): readonly RecordingRule[] => [
  dropped('destroyed', DESTROYED, lookback.drops),
  dropped(
    'overflowed',
    [`${BROKER}dead_lettered_maxlen_total{dead_letter_strategy!="disabled"}`],
    lookback.drops,
  ),
  dropped(
    'unroutable',
    [`${BROKER}unroutable_returned_total`, `${BROKER}unroutable_dropped_total`],
    lookback.drops,
  ),
];

function dropped(how: string, counters: readonly string[], lookback: string): RecordingRule {
  return {
    record: 'broker:dropped:increase10m',
    expr: sumOfIncreases(counters, lookback),
    labels: { how },
  };
}

/** The database answers every 5 s; under full load one answer may take ten. */
const UNANSWERED_SECONDS = 30;

/** Also the absence: a process found by name in DNS has no `up` at all once its last instance is gone. */
const TARGET_DOWN = [
  'up == 0',
  ...WATCHED_JOBS.map((job) => `or absent(up{job="${job}"})`),
  // A wrong metrics family or virtual host is answered with 200 and no queue, so `up` does not show it.
  'or label_replace(label_replace(absent(queue:ready) or absent(queue:consumers), "job", "rabbitmq-queues", "", ""), "how", "no queues", "", "")',
  '  unless on (job) up{job="rabbitmq-queues"} == 0',
].join('\n');

const outageAlerts = ({ hold }: Windows): readonly AlertRule[] => [
  {
    alert: 'TargetDown',
    expr: TARGET_DOWN,
    for: hold.short,
    labels: { severity: 'critical' },
    annotations: {
      summary: '{{ $labels.job }} {{ $labels.instance }} gives no metrics',
      description:
        'It is down or hangs, or the broker answers without its queues. Alerts that need these metrics are silent.',
      remedy:
        'Start it and read the end of its log. If the broker runs: npm run topology -- diff shows what it lacks.',
    },
  },
  {
    alert: 'StoreDown',
    // A stage that works reports the outage at once, until the database answers again. A process without work sends no statement, but its
    // figures over the records are refreshed every 5 s. A counter of outages would end the alert while the outage goes on.
    expr: [
      'max by (job, instance) (jobs_store_down) == 1',
      `or max by (job, instance) (jobs_records_age_seconds) > ${UNANSWERED_SECONDS}`,
    ].join('\n'),
    for: hold.brief,
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The database does not answer {{ $labels.job }} {{ $labels.instance }}',
      description:
        'Coaches end no job and keep what they were delivered; runs are refused with 503. No attempt is spent, nothing is lost.',
      remedy: 'Start the database; everything goes on by itself.',
    },
  },
];

const brokerAlerts = ({ hold }: Windows): readonly AlertRule[] => [
  {
    alert: 'BrokerAlarm',
    expr: [
      'label_replace(max by (instance) (rabbitmq_alarms_memory_used_watermark), "resource", "memory", "", "") > 0',
      'or label_replace(max by (instance) (rabbitmq_alarms_free_disk_space_watermark), "resource", "disk", "", "") > 0',
    ].join('\n'),
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The broker blocks all publishers: no {{ $labels.resource }} left',
      description: 'New jobs stay in the outbox; retries and dead letters wait. Nothing is lost.',
      remedy: 'Free memory or disk on the broker’s machine; drain queues.',
    },
  },
  {
    alert: 'BrokerAlarm',
    expr: [
      'label_replace(max by (instance) (rabbitmq_process_resident_memory_bytes / rabbitmq_resident_memory_limit_bytes), "resource", "memory", "", "") > 0.8',
      'or label_replace(max by (instance) (rabbitmq_disk_space_available_limit_bytes / rabbitmq_disk_space_available_bytes), "resource", "disk", "", "") > 0.5',
    ].join('\n'),
    for: hold.longest,
    labels: { severity: 'warning' },
    annotations: {
      summary:
        'The broker’s {{ $labels.resource }} is at {{ $value | humanizePercentage }} of what raises its alarm',
      description: 'At 100 % the broker blocks all publishers.',
      remedy: 'Drain queues; free disk, or give the broker more memory.',
    },
  },
  {
    alert: 'MessagesDropped',
    expr: 'broker:dropped:increase10m{how="destroyed"} > 0',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The broker destroyed {{ $value | humanize }} messages',
      description:
        'They expired or were refused in a queue without a dead-letter exchange. The reconciler publishes jobs of FIT again.',
      remedy: 'Find the queue that lost its dead-letter exchange: npm run topology -- diff.',
    },
  },
  {
    alert: 'MessagesDropped',
    expr: 'broker:dropped:increase10m{how!="destroyed"} > 0',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $value | humanize }} messages were {{ $labels.how }}',
      description:
        'overflowed: a full queue dead-lettered its oldest. unroutable: no binding leads to a queue; jobs of FIT stay in the outbox, other messages are gone.',
      remedy: 'npm run topology -- diff names a missing binding or a policy set by hand.',
    },
  },
];

/**
 * It waits for two minutes: what is dropped while Alertmanager starts is sent again a minute later and is not a fault. A receiver that refuses is
 * tried again in each group interval, so its counter goes on rising; it is summed over integrations and reasons to one alert.
 */
const pipelineFailures = (lookback: string): string =>
  [
    `increase(prometheus_rule_evaluation_failures_total[${lookback}]) > 0`,
    `or increase(prometheus_notifications_dropped_total[${lookback}]) > 0`,
    `or sum by (job, instance) (increase(alertmanager_notifications_failed_total[${lookback}])) > 0`,
  ].join('\n');

const alertingAlerts = ({ lookback, hold }: Windows): readonly AlertRule[] => [
  {
    alert: 'AlertPipelineBroken',
    expr: pipelineFailures(lookback.pipeline),
    for: hold.longest,
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
      description: 'Fires always. If its receiver no longer gets it, alerting is broken.',
      remedy: 'None while it fires. If it stops: repair Prometheus or Alertmanager.',
    },
  },
];

export const platformAlerts = (windows: Windows): readonly AlertRule[] => [
  ...outageAlerts(windows),
  ...brokerAlerts(windows),
  ...alertingAlerts(windows),
];
