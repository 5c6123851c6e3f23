/** Rows of the platform's dashboard: what the processes hold open to database and broker. */
import type { RowSpec } from './dashboardSpec.ts';

export const DATABASE: RowSpec = {
  title: 'Database',
  panels: [
    {
      kind: 'lines',
      title: 'Connections of the pools',
      description:
        'pending: requests that wait for one. Lasting above 0, the database is slow or away.',
      unit: 'short',
      queries: [
        { expr: 'sum by (job, state) (mongodb_pool_connections)', legend: '{{job}} {{state}}' },
      ],
      runbooks: ['StoreDown'],
    },
    {
      kind: 'lines',
      title: 'No connection to be had',
      description: 'Requests that gave up waiting for one.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum by (job) (rate(mongodb_pool_checkout_failures_total[$__rate_interval]))',
          legend: '{{job}}',
        },
      ],
      runbooks: ['StoreDown'],
    },
    {
      kind: 'lines',
      title: 'Commands, p95',
      description: 'As the driver sees them, by command.',
      unit: 's',
      queries: [
        {
          expr: 'histogram_quantile(0.95, sum by (le, command) (rate(mongodb_command_duration_seconds_bucket[$__rate_interval])))',
          legend: '{{command}}',
        },
      ],
      runbooks: ['StoreDown'],
    },
    {
      kind: 'lines',
      title: 'Commands by outcome',
      description: 'Per second. Failures that repeat want a look into the log.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum by (job, outcome) (rate(mongodb_command_duration_seconds_count[$__rate_interval]))',
          legend: '{{job}} {{outcome}}',
        },
      ],
      runbooks: ['StoreDown'],
    },
  ],
};

export const CONNECTIONS: RowSpec = {
  title: 'Connections to the broker',
  panels: [
    {
      kind: 'lines',
      title: 'Up and blocked',
      description:
        'Up is 1 when every connection of the process stands. Blocked is 1 under an alarm of the broker.',
      unit: 'short',
      queries: [
        { expr: 'min by (job) (amqp_connection_up)', legend: '{{job}} up' },
        { expr: 'max by (job) (amqp_connection_blocked)', legend: '{{job}} blocked' },
      ],
      max: 1,
      runbooks: ['AmqpUnstable', 'BrokerAlarm'],
    },
    {
      kind: 'lines',
      title: 'Lost connections',
      description: 'In the time that is shown.',
      unit: 'short',
      queries: [
        { expr: 'sum by (job) (increase(amqp_reconnects_total[$__range]))', legend: '{{job}}' },
      ],
      runbooks: ['AmqpUnstable'],
    },
    {
      kind: 'lines',
      title: 'Channel errors, by code',
      description:
        'The broker closed a channel: 404 a missing queue, 406 other arguments, 403 no right.',
      unit: 'short',
      queries: [
        {
          expr: 'sum by (job, code) (increase(amqp_channel_errors_total[$__range]))',
          legend: '{{job}} {{code}}',
        },
      ],
      runbooks: ['AmqpUnstable', 'QueueMissing'],
    },
  ],
};
