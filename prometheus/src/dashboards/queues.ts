/** What lies in each queue, how near its limit is, and what the broker itself is doing. */
import type { DashboardSpec, RowSpec } from './dashboardSpec.ts';

const DEPTH: RowSpec = {
  title: 'Depth and limit',
  panels: [
    {
      kind: 'lines',
      title: 'Ready, and the limit',
      description:
        'Messages that wait to be delivered. The limit is known from the declaration; the broker does not export it.',
      unit: 'short',
      queries: [
        { expr: 'queue:ready{queue=~"$queue"}', legend: '{{queue}}' },
        { expr: 'queue:max_length{queue=~"$queue"}', legend: 'limit of {{queue}}' },
      ],
      width: 12,
      runbooks: ['QueueNearFull'],
    },
    {
      kind: 'lines',
      title: 'Fill',
      description: 'What counts towards the limit, as a share of it.',
      unit: 'percentunit',
      queries: [{ expr: 'queue:fill:ratio{queue=~"$queue"}', legend: '{{queue}}' }],
      bounds: { warning: 0.7, critical: 0.9 },
      width: 12,
      runbooks: ['QueueNearFull'],
    },
    {
      kind: 'lines',
      title: 'Time to full',
      description: 'By the trend of the last minute. No line: the queue does not grow.',
      unit: 's',
      queries: [{ expr: 'queue:fill:time_to_full_seconds{queue=~"$queue"}', legend: '{{queue}}' }],
      runbooks: ['QueueFillingUp'],
    },
    {
      kind: 'lines',
      title: 'Growth',
      description: 'Messages per second that the queue grows by; below 0 it drains.',
      unit: 'cps',
      queries: [{ expr: 'deriv(queue:counted{queue=~"$queue"}[1m])', legend: '{{queue}}' }],
      min: null,
      runbooks: ['QueueFillingUp'],
    },
    {
      kind: 'lines',
      title: 'Forecast of the wait tiers',
      description:
        'Retries per second times the wait: what will return to the main queue, as a share of its limit.',
      unit: 'percentunit',
      queries: [{ expr: 'queue:wait_forecast:ratio{queue=~"$queue"}', legend: '{{queue}}' }],
      bounds: { warning: 0.8, critical: 1 },
      runbooks: ['WaitTierWillOverflow'],
    },
  ],
};

const STATE: RowSpec = {
  title: 'Delivery',
  panels: [
    {
      kind: 'lines',
      title: 'Delivered, not settled',
      description: 'With a consumer now. They do not count towards the limit.',
      unit: 'short',
      queries: [{ expr: 'queue:unacked{queue=~"$queue"}', legend: '{{queue}}' }],
      runbooks: ['JobStuck'],
    },
    {
      kind: 'lines',
      title: 'Consumers',
      description:
        'One per coach on the main queue, one on the dead-letter queue, none on a wait queue.',
      unit: 'short',
      queries: [{ expr: 'queue:consumers{queue=~"$queue"}', legend: '{{queue}}' }],
      runbooks: ['NoConsumers', 'ParkedQueueConsumed'],
    },
    {
      kind: 'lines',
      title: 'Held dead letters',
      description:
        'Messages that an at-least-once queue cannot move on: their target is full or missing.',
      unit: 'short',
      queries: [{ expr: 'queue:dlx_held{queue=~"$queue"}', legend: '{{queue}}' }],
      runbooks: ['DeadLetterHeld'],
    },
    {
      kind: 'lines',
      title: 'Oldest job by state',
      description:
        'From the records: quorum queues do not tell the age of their head. A line that only rises is a job that nobody does.',
      unit: 's',
      queries: [{ expr: 'max by (state) (jobs_oldest_age_seconds)', legend: '{{state}}' }],
      runbooks: ['QueueStalled', 'JobsUnaccounted'],
    },
    {
      kind: 'lines',
      title: 'Limits, as rules, processes and broker have them',
      description:
        'Two values for one queue are two declarations in use, or a policy that was changed by hand.',
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
      title: 'Waits, as rules and processes have them',
      description:
        'Time to live of each wait queue. Two values for one queue are two declarations in use.',
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
      kind: 'table',
      title: 'Declared queues',
      description: 'Role and tier of each, from the declaration.',
      unit: 'short',
      queries: [{ expr: 'queue:info{queue=~"$queue"}', legend: '{{queue}}' }],
      runbooks: ['QueueMissing', 'QueueUndeclared'],
    },
  ],
};

const BROKER: RowSpec = {
  title: 'Broker',
  panels: [
    {
      kind: 'number',
      title: 'Version',
      description: 'Of RabbitMQ. The topology is planned for it at each start.',
      unit: 'short',
      queries: [
        { expr: 'max by (rabbitmq_version) (rabbitmq_build_info)', legend: '{{rabbitmq_version}}' },
      ],
      showsName: true,
      runbooks: ['BrokerMetricsAbsent'],
    },
    {
      kind: 'lines',
      title: 'Connections and channels',
      description: 'Two or three connections per process. A line that only rises is a leak.',
      unit: 'short',
      queries: [
        { expr: 'max(rabbitmq_connections)', legend: 'connections' },
        { expr: 'max(rabbitmq_channels)', legend: 'channels' },
      ],
      runbooks: ['BrokerMemoryHigh'],
    },
    {
      kind: 'lines',
      title: 'Connections opened and closed',
      description: 'Near 0 in calm; a steady rate is a client that cannot stay.',
      unit: 'cps',
      queries: [
        {
          expr: 'max(rate(rabbitmq_connections_opened_total[$__rate_interval]))',
          legend: 'opened',
        },
        {
          expr: 'max(rate(rabbitmq_connections_closed_total[$__rate_interval]))',
          legend: 'closed',
        },
      ],
      runbooks: ['AmqpUnstable'],
    },
  ],
};

export const QUEUES: DashboardSpec = {
  uid: 'fit-queues',
  title: 'FIT 2 Queues',
  description: 'What lies in each queue, how near its limit is, what the broker is doing.',
  variables: ['queue'],
  rows: [DEPTH, STATE, BROKER],
};
