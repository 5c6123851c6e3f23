/** The second dashboard: where jobs are, from the outbox through the queues into attempts, and what delays them. */
import type { DashboardSpec, PanelSpec, Query, RowSpec } from './dashboardSpec.ts';

const FILLING: RowSpec = {
  title: 'Is something filling up?',
  panels: [
    {
      kind: 'lines',
      title: 'Ready messages, and the limit',
      description:
        'Messages that wait for delivery. The limit comes from the declaration, since the broker does not export it.',
      unit: 'short',
      queries: [
        { expr: 'queue:ready{queue=~"$queue"}', legend: '{{queue}}' },
        { expr: 'queue:max_length{queue=~"$queue"}', legend: 'limit of {{queue}}' },
      ],
      runbooks: ['QueueNearFull'],
    },
    {
      kind: 'lines',
      title: 'Fill',
      description:
        'Share of the limit: ready messages and those that await transfer. Above 1 is possible for a moment.',
      unit: 'percentunit',
      queries: [{ expr: 'queue:fill:ratio{queue=~"$queue"}', legend: '{{queue}}' }],
      bounds: { warning: 0.7, critical: 0.9 },
      runbooks: ['QueueNearFull'],
    },
    {
      kind: 'lines',
      title: 'Time to full',
      description: 'By the trend of the last minute. No line: the queue does not grow.',
      unit: 's',
      queries: [{ expr: 'queue:fill:time_to_full_seconds{queue=~"$queue"}', legend: '{{queue}}' }],
      runbooks: ['QueueNearFull'],
    },
    {
      kind: 'lines',
      title: 'Growth',
      description: 'Messages per second by which the queue grows; below 0 it empties.',
      unit: 'cps',
      queries: [{ expr: 'deriv(queue:counted{queue=~"$queue"}[1m])', legend: '{{queue}}' }],
      min: null,
      runbooks: ['QueueNearFull'],
    },
    {
      kind: 'lines',
      title: 'Forecast of the retries',
      description:
        'Retries per second multiplied by the wait: what will return to the main queue, as a share of its limit. Above 1 the main queue will be full.',
      unit: 'percentunit',
      queries: [{ expr: 'queue:wait_forecast:ratio{queue=~"$queue"}', legend: '{{queue}}' }],
      bounds: { warning: 0.8, critical: 1 },
      runbooks: ['RetryStorm'],
    },
  ],
};

const PUBLISHING: RowSpec = {
  title: 'Do jobs reach the broker?',
  panels: [
    {
      kind: 'lines',
      title: 'Outbox',
      description:
        'Jobs that the broker does not have yet. A large run is here as a whole at first, and leaves at the pace of the coaches.',
      unit: 'short',
      queries: [{ expr: 'max(jobs_outbox_pending)', legend: 'pending' }],
      runbooks: ['OutboxStalled'],
    },
    {
      kind: 'lines',
      title: 'Oldest job in the outbox',
      description:
        'Since its batch was recorded. Rises while the broker is away, full or blocked, and a little while coaches are slow. Jobs in the outbox are safe.',
      unit: 's',
      queries: [{ expr: 'max(jobs_outbox_oldest_age_seconds)', legend: 'oldest' }],
      runbooks: ['OutboxStalled'],
    },
    {
      kind: 'lines',
      title: 'Since the last successful round',
      description:
        'Of relay, reconciler and retention. A line that only rises is a task that stands still.',
      unit: 's',
      queries: [
        { expr: 'time() - min(jobs_relay_last_timestamp_seconds > 0)', legend: 'slowest relay' },
        { expr: 'time() - max(jobs_reconcile_last_timestamp_seconds > 0)', legend: 'reconciler' },
        { expr: 'time() - max(jobs_retention_last_timestamp_seconds > 0)', legend: 'retention' },
      ],
      runbooks: ['OutboxStalled', 'JobsUnaccounted'],
    },
    {
      kind: 'lines',
      title: 'Publishes by outcome',
      description:
        'The answer of the broker. A job that is not confirmed stays in the outbox and is published again.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum by (outcome) (rate(jobs_published_total{queue=~"$queue"}[$__rate_interval]))',
          legend: '{{outcome}}',
        },
      ],
      runbooks: ['OutboxStalled', 'QueueNearFull'],
    },
    {
      kind: 'lines',
      title: 'Time to a confirm',
      description: 'Median and 99th percentile.',
      unit: 's',
      queries: [0.5, 0.99].map((q) => quantile(q, 'jobs_publish_confirm_seconds_bucket')),
      runbooks: ['BrokerAlarm'],
    },
    {
      kind: 'lines',
      title: 'Publishes without a confirm yet',
      description:
        'In each process, and per second at the broker over all publishers. Lasting above 0 at the broker: a publisher is refused.',
      unit: 'short',
      queries: [
        { expr: 'sum by (job) (jobs_publish_pending)', legend: '{{job}}' },
        {
          expr:
            'max(rate(rabbitmq_global_messages_received_confirm_total[$__rate_interval]))\n' +
            '  - max(rate(rabbitmq_global_messages_confirmed_total[$__rate_interval]))',
          legend: 'broker, per second',
        },
      ],
      min: null,
      runbooks: ['QueueNearFull'],
    },
    {
      kind: 'lines',
      title: 'Messages through the broker',
      description: 'All queues together, retries and dead letters included.',
      unit: 'cps',
      queries: ['received', 'delivered', 'acknowledged'].map((step) => ({
        expr: `sum(rate(rabbitmq_global_messages_${step}_total[$__rate_interval]))`,
        legend: step,
      })),
    },
  ],
};

const CONSUMING: RowSpec = {
  title: 'Do messages move on?',
  panels: [
    {
      kind: 'lines',
      title: 'Consumers',
      description:
        'One per coach on the main queue, one on the dead-letter queue, none on a wait queue.',
      unit: 'short',
      queries: [{ expr: 'queue:consumers{queue=~"$queue"}', legend: '{{queue}}' }],
      runbooks: ['NoConsumers', 'QueuePaused', 'TopologyDrift'],
    },
    {
      kind: 'lines',
      title: 'Delivered and not acknowledged',
      description: 'Messages at a consumer. They do not count towards the limit.',
      unit: 'short',
      queries: [{ expr: 'queue:unacked{queue=~"$queue"}', legend: '{{queue}}' }],
      runbooks: ['QueueStalled'],
    },
    {
      kind: 'lines',
      title: 'Awaiting transfer',
      description:
        'Messages that an at-least-once queue cannot move on, since their next queue is full or missing.',
      unit: 'short',
      queries: [{ expr: 'queue:awaiting_transfer{queue=~"$queue"}', legend: '{{queue}}' }],
      runbooks: ['QueueStalled'],
    },
    {
      kind: 'lines',
      title: 'Dead letters that are not recorded yet',
      description:
        'Lasting above 0: the dead-letter recorder is off, or the monolith is down. This is also the age of the oldest.',
      unit: 'short',
      queries: [
        {
          expr: 'queue:ready{queue=~"$queue"} and on (vhost, queue) queue:info{role="dlq"}',
          legend: '{{queue}}',
        },
      ],
      runbooks: ['NoConsumers', 'DeadLetters'],
    },
    {
      kind: 'lines',
      title: 'Redelivered, refused, forged',
      description:
        'redelivered: a coach or its connection ended. refused: no job at all. forged: an attempt number that the broker does not confirm. The last two come from a foreign publisher.',
      unit: 'cps',
      queries: [
        ['redelivered', 'jobs_redelivered_total'],
        ['refused', 'jobs_refused_total'],
        ['forged', 'jobs_attempt_mismatch_total'],
      ].map(([legend, metric]) => ({
        expr: `sum(rate(${metric ?? ''}{queue=~"$queue"}[$__rate_interval]))`,
        legend: legend ?? '',
      })),
      runbooks: ['DeadLetters'],
    },
    {
      kind: 'lines',
      title: 'Writes that changed nothing',
      description:
        'Late or repeated state changes that the guard stopped. Some after a crash; many at any time are a defect.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum by (transition) (rate(jobs_unchanged_total[$__rate_interval]))',
          legend: '{{transition}}',
        },
      ],
    },
  ],
};

const RETRYING: RowSpec = {
  title: 'How many attempts do jobs need?',
  panels: [
    {
      kind: 'lines',
      title: 'Attempts by outcome',
      description: 'More retries than successes: a dependency fails, not single jobs.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum by (outcome) (rate(jobs_attempts_total{queue=~"$queue"}[$__rate_interval]))',
          legend: '{{outcome}}',
        },
      ],
      isStacked: true,
      runbooks: ['RetryStorm'],
    },
    {
      kind: 'lines',
      title: 'Retries by tier',
      description: 'What enters each wait queue. The last tier rises only if a cause lasts.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum by (queue) (rate(jobs_retries_scheduled_total{queue=~"$queue"}[$__rate_interval]))',
          legend: '{{queue}}',
        },
      ],
      runbooks: ['RetryStorm'],
    },
    {
      kind: 'lines',
      title: 'Attempts per job',
      description:
        'From 1 to 4 with the default tiers. The mean over the time shown, and the 95th percentile now.',
      unit: 'short',
      queries: [
        {
          expr:
            'sum(increase(jobs_attempts_total[$__range]))\n' +
            '  / sum(increase(jobs_finished_total[$__range]))',
          legend: 'mean',
        },
        {
          expr: 'histogram_quantile(0.95, sum by (le, outcome) (rate(jobs_attempts_per_job_bucket[$__rate_interval])))',
          legend: 'p95, {{outcome}}',
        },
      ],
      runbooks: ['RetryStorm'],
    },
  ],
};

const WAIT_BUCKETS = 'jobs_queue_wait_seconds_bucket{queue=~"$queue"}';

/** @param by labels besides `le` that distinguish the lines. */
function quantile(q: number, histogram: string, by: readonly string[] = []): Query {
  const labels = ['le', ...by].join(', ');
  const legend = [`p${q * 100}`, ...by.map((label) => `{{${label}}}`)].join(', ');
  const rate = `sum by (${labels}) (rate(${histogram}[$__rate_interval]))`;
  return { expr: `histogram_quantile(${q}, ${rate})`, legend };
}

const mean = (histogram: string, legend: string): Query => ({
  expr:
    `sum(rate(${histogram}_sum[$__rate_interval]))\n` +
    `  / sum(rate(${histogram}_count[$__rate_interval]))`,
  legend,
});

const WAIT_HEATMAP: PanelSpec = {
  kind: 'heat',
  title: 'Wait for a coach',
  description:
    'From the moment a job could start to its delivery. A band that climbs is a backlog.',
  unit: 's',
  queries: [
    { expr: `sum by (le) (increase(${WAIT_BUCKETS}[$__rate_interval]))`, legend: '{{le}}' },
  ],
  runbooks: ['BacklogTooLong'],
};

const LATENCY: RowSpec = {
  title: 'How long do jobs take, and where?',
  panels: [
    WAIT_HEATMAP,
    {
      kind: 'lines',
      title: 'Wait for a coach, quantiles',
      description: 'Median, 95th and 99th percentile. During a large run they rise and fall again.',
      unit: 's',
      queries: [0.5, 0.95, 0.99].map((q) => quantile(q, WAIT_BUCKETS)),
      runbooks: ['BacklogTooLong'],
    },
    {
      kind: 'lines',
      title: 'One attempt, p95 by outcome',
      description:
        'Failures included. Retries near 30 s are attempts that ran into their deadline.',
      unit: 's',
      queries: [quantile(0.95, 'jobs_run_seconds_bucket', ['outcome'])],
      runbooks: ['QueueStalled'],
    },
    {
      kind: 'lines',
      title: 'Where the time goes',
      description:
        'Means of waiting for a coach, of running, and of the whole. The rest of the whole is waits between attempts and storing.',
      unit: 's',
      queries: [
        mean('jobs_queue_wait_seconds', 'waiting'),
        mean('jobs_run_seconds', 'running'),
        mean('jobs_end_to_end_seconds', 'whole'),
      ],
      runbooks: ['BacklogTooLong'],
    },
    {
      kind: 'lines',
      title: 'End to end, by outcome',
      description:
        'From the first enqueue to done or dead. 5 s, 35 s and 155 s are retries with the default tiers.',
      unit: 's',
      queries: [0.5, 0.95].map((q) => quantile(q, 'jobs_end_to_end_seconds_bucket', ['outcome'])),
      width: 16,
      runbooks: ['BacklogTooLong'],
    },
  ],
};

const DECLARATION: RowSpec = {
  title: 'Is the broker as declared?',
  panels: [
    {
      kind: 'lines',
      title: 'Limits in rules, processes and broker',
      description:
        'Two values for one queue: two declarations are in use, or somebody changed a policy.',
      unit: 'short',
      queries: [
        { expr: 'queue:max_length{queue=~"$queue"}', legend: '{{queue}}, rules' },
        {
          expr: 'max by (queue, job) (jobs_queue_max_length{queue=~"$queue"})',
          legend: '{{queue}}, {{job}}',
        },
        {
          expr: 'max by (queue) (jobs_queue_live_max_length{queue=~"$queue"})',
          legend: '{{queue}}, broker',
        },
      ],
      runbooks: ['TopologyDrift'],
    },
    {
      kind: 'lines',
      title: 'Waits in rules and processes',
      description:
        'Time to live of each wait queue. Two values for one queue: two declarations are in use.',
      unit: 's',
      queries: [
        { expr: 'queue:ttl_seconds{queue=~"$queue"}', legend: '{{queue}}, rules' },
        {
          expr: 'max by (queue, job) (jobs_queue_ttl_seconds{queue=~"$queue"})',
          legend: '{{queue}}, {{job}}',
        },
      ],
      runbooks: ['TopologyDrift'],
    },
    {
      kind: 'number',
      title: 'Undeclared queues',
      description:
        'Queues on the broker that the declaration does not know: of another system, or of former tiers. `npm run topology -- diff` names them.',
      unit: 'short',
      queries: [
        {
          expr: 'count(queue:ready unless on (vhost, queue) queue:info) or 0 * count(queue:ready)',
          legend: 'undeclared',
        },
      ],
      runbooks: ['TopologyDrift'],
    },
    {
      kind: 'table',
      title: 'Declared queues',
      description: 'Role and tier of each.',
      unit: 'short',
      queries: [{ expr: 'queue:info{queue=~"$queue"}', legend: '{{queue}}' }],
      width: 24,
    },
  ],
};

export const QUEUES_AND_FLOW: DashboardSpec = {
  uid: 'fit-queues-and-flow',
  title: 'FIT 2 Queues and flow',
  description: 'Where are the jobs, and what delays them?',
  variables: ['queue'],
  rows: [FILLING, PUBLISHING, CONSUMING, RETRYING, LATENCY, DECLARATION],
};
