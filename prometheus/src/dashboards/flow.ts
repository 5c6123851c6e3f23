/** The way of jobs: out of the outbox, through the broker, into attempts and back. */
import type { DashboardSpec, RowSpec } from './dashboardSpec.ts';

const OUTBOX: RowSpec = {
  title: 'From the outbox to the broker',
  panels: [
    {
      kind: 'lines',
      title: 'Outbox',
      description:
        'Job records that the broker does not have yet. It empties within seconds after a run was accepted.',
      unit: 'short',
      queries: [{ expr: 'max(jobs_outbox_pending)', legend: 'pending' }],
      runbooks: ['PublishRejected'],
    },
    {
      kind: 'lines',
      title: 'Oldest in the outbox',
      description: 'Rises while the broker is away, full or blocked. Jobs in it are safe.',
      unit: 's',
      queries: [{ expr: 'max(jobs_outbox_oldest_age_seconds)', legend: 'oldest' }],
      runbooks: ['OutboxStale', 'PublishRejected', 'JobLatencyBurn'],
    },
    {
      kind: 'lines',
      title: 'Since the last good round',
      description:
        'Of the relay and the reconciler. A line that only rises is a loop that stands still.',
      unit: 's',
      queries: [
        { expr: 'time() - max(jobs_relay_last_timestamp_seconds > 0)', legend: 'relay' },
        { expr: 'time() - max(jobs_reconcile_last_timestamp_seconds > 0)', legend: 'reconciler' },
      ],
      runbooks: ['JobsUnaccounted'],
    },
    {
      kind: 'lines',
      title: 'Publishes by outcome',
      description:
        'What the broker said. Anything but confirmed stays in the outbox and is offered again.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum by (outcome) (rate(jobs_published_total{queue=~"$queue"}[$__rate_interval]))',
          legend: '{{outcome}}',
        },
      ],
      runbooks: ['PublishRejected'],
    },
    {
      kind: 'lines',
      title: 'Time to a confirm',
      description:
        'Half of the publishes are confirmed within the lower line, all but one in a hundred within the upper.',
      unit: 's',
      queries: [0.5, 0.99].map((quantile) => ({
        expr: `histogram_quantile(${quantile}, sum by (le) (rate(jobs_publish_confirm_seconds_bucket{queue=~"$queue"}[$__rate_interval])))`,
        legend: `p${quantile * 100}`,
      })),
      runbooks: ['BrokerAlarm'],
    },
    {
      kind: 'lines',
      title: 'Waiting for a confirm',
      description: 'Publishes under way in each process; at most 1,000 for the relay.',
      unit: 'short',
      queries: [{ expr: 'sum by (job) (jobs_publish_pending)', legend: '{{job}}' }],
      runbooks: ['AmqpUnstable'],
    },
    {
      kind: 'lines',
      title: 'Gap at the broker',
      description:
        'Received with a wish for a confirm, minus confirmed, all publishers. Lasting above 0: somebody is refused.',
      unit: 'cps',
      queries: [
        {
          expr:
            'max(rate(rabbitmq_global_messages_received_confirm_total[$__rate_interval]))\n' +
            '  - max(rate(rabbitmq_global_messages_confirmed_total[$__rate_interval]))',
          legend: 'not confirmed',
        },
      ],
      min: null,
      runbooks: ['BrokerRefusesPublishes'],
    },
    {
      kind: 'lines',
      title: 'Unroutable',
      description:
        'Published where no binding leads to a queue: returned to the publisher, or dropped.',
      unit: 'cps',
      queries: ['returned', 'dropped'].map((fate) => ({
        expr: `sum(rate(rabbitmq_global_messages_unroutable_${fate}_total[$__rate_interval]))`,
        legend: fate,
      })),
      runbooks: ['Unroutable'],
    },
    {
      kind: 'lines',
      title: 'Through the broker',
      description: 'All messages of all queues, retries and dead letters included.',
      unit: 'cps',
      queries: ['received', 'delivered', 'acknowledged'].map((step) => ({
        expr: `sum(rate(rabbitmq_global_messages_${step}_total[$__rate_interval]))`,
        legend: step,
      })),
    },
  ],
};

const ATTEMPTS: RowSpec = {
  title: 'Attempts and retries',
  panels: [
    {
      kind: 'lines',
      title: 'Attempts by outcome',
      description: 'More retry than success is a dependency that fails, not single jobs.',
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
      description: 'What enters each wait queue. The last tier rises only when a cause lasts.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum by (queue) (rate(jobs_retries_scheduled_total{queue=~"$queue"}[$__rate_interval]))',
          legend: '{{queue}}',
        },
      ],
      runbooks: ['RetryStorm', 'WaitTierWillOverflow'],
    },
    {
      kind: 'lines',
      title: 'Attempts per job',
      description:
        '1 is best, 4 is all that there are. The mean over the time that is shown, and the 95th percentile now.',
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

const REPAIRS: RowSpec = {
  title: 'Repairs',
  panels: [
    {
      kind: 'lines',
      title: 'Brought back',
      description:
        'Jobs whose message the broker lost, and dead jobs that were replayed, in the time that is shown.',
      unit: 'short',
      queries: [
        { expr: 'sum(increase(jobs_reconciled_total[$__range]))', legend: 'by the reconciler' },
        {
          expr: 'sum by (type) (increase(jobs_replayed_total[$__range]))',
          legend: 'replayed, {{type}}',
        },
      ],
      runbooks: ['JobsUnaccounted', 'DeadLetters'],
    },
    {
      kind: 'lines',
      title: 'Writes that changed nothing',
      description:
        'Late or doubled state changes, stopped by their guard. Some after a crash; many at any time are a defect.',
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

export const FLOW: DashboardSpec = {
  uid: 'fit-flow',
  title: 'FIT 3 Flow',
  description: 'Out of the outbox, through the broker, into attempts and back.',
  variables: ['queue'],
  rows: [OUTBOX, ATTEMPTS, REPAIRS],
};
