/** The third dashboard: coaches, processes, broker, database, HTTP API and the monitoring itself. */
import type { DashboardSpec, RowSpec } from './dashboardSpec.ts';

const COACHES: RowSpec = {
  title: 'Are there enough coaches?',
  panels: [
    {
      kind: 'lines',
      title: 'Utilisation',
      description: 'Share of the handlers that work. Near 1 with a backlog: add coaches.',
      unit: 'percentunit',
      queries: [
        {
          expr:
            'sum by (instance, kind) (rate(jobs_busy_seconds_total{instance=~"$instance"}[$__rate_interval]))\n' +
            '  / sum by (instance, kind) (jobs_worker_concurrency{instance=~"$instance"} > 0)',
          legend: '{{kind}} of {{instance}}',
        },
      ],
      bounds: { warning: 0.9, critical: 1 },
      runbooks: ['BacklogTooLong'],
    },
    {
      kind: 'lines',
      title: 'In flight',
      description:
        'Deliveries that a coach has (at most COACH_PREFETCH), and the number of its handlers.',
      unit: 'short',
      queries: [
        { expr: 'jobs_in_flight{instance=~"$instance"}', legend: '{{instance}}' },
        {
          expr: 'sum by (instance) (jobs_worker_concurrency{instance=~"$instance"})',
          legend: 'handlers of {{instance}}',
        },
      ],
      runbooks: ['QueueStalled'],
    },
    {
      kind: 'lines',
      title: 'Oldest in flight',
      description:
        'Above the deadline of an attempt (30 s): its result cannot be stored, or the handler ignores the deadline. The broker takes the job back after half an hour.',
      unit: 's',
      queries: [
        { expr: 'jobs_oldest_in_flight_seconds{instance=~"$instance"}', legend: '{{instance}}' },
      ],
      bounds: { warning: 60, critical: 300 },
      runbooks: ['QueueStalled'],
    },
    {
      kind: 'lines',
      title: 'Since the last success',
      description: 'For each coach. Rises between runs; during a run it stays near 0.',
      unit: 's',
      queries: [
        {
          expr: 'time() - (jobs_last_success_timestamp_seconds{instance=~"$instance"} > 0)',
          legend: '{{instance}}',
        },
      ],
      runbooks: ['QueueStalled'],
    },
  ],
};

/** Prometheus and Alertmanager export series of the same names. */
const OF_FIT = '{job=~"monolith|coach|cron",instance=~"$instance"}';

const PROCESSES: RowSpec = {
  title: 'Are the processes healthy?',
  panels: [
    {
      kind: 'number',
      title: 'Version',
      description: 'Of each process. A new one is marked on every graph.',
      unit: 'short',
      queries: [
        {
          expr: `max by (job, version, commit) (app_build_info${OF_FIT})`,
          legend: '{{job}} {{version}} {{commit}}',
        },
      ],
      showsName: true,
      width: 12,
    },
    {
      kind: 'number',
      title: 'Running for',
      description: 'Since the start of the youngest instance. Short again and again: it restarts.',
      unit: 's',
      queries: [{ expr: 'min by (job) (time() - process_start_time_seconds)', legend: '{{job}}' }],
      width: 12,
      runbooks: ['TargetDown'],
    },
    {
      kind: 'lines',
      title: 'Event loop, p99',
      description:
        'Delay of the next task, with 0.05 s between two looks. Above 0.25 s heartbeats and requests are delayed: take a CPU profile.',
      unit: 's',
      queries: [
        { expr: `nodejs_eventloop_lag_p99_seconds${OF_FIT}`, legend: '{{job}} {{instance}}' },
      ],
      bounds: { warning: 0.1, critical: 0.25 },
      runbooks: ['TargetDown'],
    },
    {
      kind: 'lines',
      title: 'Processor',
      description: 'Cores. A Node process can use little more than 1.',
      unit: 'short',
      queries: [
        {
          expr: `rate(process_cpu_seconds_total${OF_FIT}[$__rate_interval])`,
          legend: '{{job}} {{instance}}',
        },
      ],
      runbooks: ['BacklogTooLong'],
    },
    {
      kind: 'lines',
      title: 'Heap in use',
      description: 'A sawtooth is normal; a rising baseline is a leak.',
      unit: 'bytes',
      queries: [{ expr: `nodejs_heap_size_used_bytes${OF_FIT}`, legend: '{{job}} {{instance}}' }],
      runbooks: ['TargetDown'],
    },
    {
      kind: 'lines',
      title: 'Memory',
      description: 'Resident. Compose ends a process at 512 MiB.',
      unit: 'bytes',
      queries: [{ expr: `process_resident_memory_bytes${OF_FIT}`, legend: '{{job}} {{instance}}' }],
      runbooks: ['TargetDown'],
    },
    {
      kind: 'lines',
      title: 'Open files and sockets',
      description: 'A line that only rises is a leak.',
      unit: 'short',
      queries: [{ expr: `process_open_fds${OF_FIT}`, legend: '{{job}} {{instance}}' }],
    },
    {
      kind: 'lines',
      title: 'Stopping',
      description: '1 while a process finishes its work before it ends.',
      unit: 'short',
      queries: [{ expr: 'app_draining{instance=~"$instance"}', legend: '{{job}} {{instance}}' }],
      max: 1,
    },
  ],
};

const BROKER: RowSpec = {
  title: 'Is the broker healthy?',
  panels: [
    {
      kind: 'number',
      title: 'RabbitMQ',
      description: 'Its version. The topology is planned for it at each start.',
      unit: 'short',
      queries: [
        { expr: 'max by (rabbitmq_version) (rabbitmq_build_info)', legend: '{{rabbitmq_version}}' },
      ],
      showsName: true,
      runbooks: ['TargetDown'],
    },
    {
      kind: 'number',
      title: 'Alarms',
      description: '1: publishers are blocked.',
      unit: 'short',
      queries: [
        { expr: 'max(rabbitmq_alarms_memory_used_watermark)', legend: 'memory' },
        { expr: 'max(rabbitmq_alarms_free_disk_space_watermark)', legend: 'disk' },
      ],
      bounds: { warning: 0.5, critical: 1 },
      max: 1,
      runbooks: ['BrokerAlarm'],
    },
    {
      kind: 'lines',
      title: 'Memory of the broker',
      description: 'At the limit the broker blocks every publisher.',
      unit: 'bytes',
      queries: [
        { expr: 'max(rabbitmq_process_resident_memory_bytes)', legend: 'used' },
        { expr: 'max(rabbitmq_resident_memory_limit_bytes)', legend: 'limit' },
      ],
      runbooks: ['BrokerAlarm'],
    },
    {
      kind: 'lines',
      title: 'Disk of the broker',
      description: 'Below the limit the broker blocks every publisher.',
      unit: 'bytes',
      queries: [
        { expr: 'min(rabbitmq_disk_space_available_bytes)', legend: 'free' },
        { expr: 'max(rabbitmq_disk_space_available_limit_bytes)', legend: 'limit' },
      ],
      runbooks: ['BrokerAlarm'],
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
    },
    {
      kind: 'lines',
      title: 'Connected and blocked',
      description:
        'connected is 1 while all connections of the process are up; blocked is 1 during an alarm of the broker.',
      unit: 'short',
      queries: [
        { expr: 'min by (job) (amqp_connection_up)', legend: '{{job}} connected' },
        { expr: 'max by (job) (amqp_connection_blocked)', legend: '{{job}} blocked' },
      ],
      max: 1,
      runbooks: ['BrokerAlarm', 'NoConsumers'],
    },
    {
      kind: 'lines',
      title: 'Lost connections and channel errors',
      description:
        'Over the time shown. Codes: 404 a missing queue, 406 other arguments, 403 no permission.',
      unit: 'short',
      queries: [
        { expr: 'sum by (job) (increase(amqp_reconnects_total[$__range]))', legend: '{{job}}' },
        {
          expr: 'sum by (job, code) (increase(amqp_channel_errors_total[$__range]))',
          legend: '{{job}} {{code}}',
        },
      ],
      runbooks: ['TopologyDrift'],
    },
  ],
};

const DATABASE: RowSpec = {
  title: 'Does the database answer?',
  panels: [
    {
      kind: 'lines',
      title: 'Outages and refused writes',
      description:
        'Over the time shown, by stage of the work: how often it had to wait for the database, and how often the database refused its write.',
      unit: 'short',
      queries: [
        {
          expr: 'sum by (job, stage) (increase(jobs_store_outages_total[$__range]))',
          legend: '{{job}} {{stage}}',
        },
        {
          expr: 'sum by (job, stage) (increase(jobs_stage_failures_total[$__range]))',
          legend: 'refused, {{job}} {{stage}}',
        },
      ],
      runbooks: ['StoreDown'],
    },
    {
      kind: 'lines',
      title: 'Age of the figures over job records',
      description:
        'Jobs by state, outbox and ages are read every five seconds. Above 30 s they are out of date.',
      unit: 's',
      queries: [{ expr: 'max(jobs_records_age_seconds)', legend: 'age' }],
      bounds: { warning: 15, critical: 30 },
      runbooks: ['StoreDown'],
    },
    {
      kind: 'lines',
      title: 'Failed refreshes and checkouts',
      description:
        'refreshes: figures that the database did not answer in time. checkouts: operations that got no connection.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum(rate(jobs_records_refresh_failures_total[$__rate_interval]))',
          legend: 'refreshes',
        },
        {
          expr: 'sum by (job) (rate(mongodb_pool_checkout_failures_total[$__rate_interval]))',
          legend: 'checkouts, {{job}}',
        },
      ],
      runbooks: ['StoreDown'],
    },
    {
      kind: 'lines',
      title: 'Connections of the pools',
      description: 'pending: operations that wait for one. Lasting above 0: the database is slow.',
      unit: 'short',
      queries: [
        { expr: 'sum by (job, state) (mongodb_pool_connections)', legend: '{{job}} {{state}}' },
      ],
      runbooks: ['StoreDown'],
    },
    {
      kind: 'lines',
      title: 'Commands, p95',
      description: 'As the driver measures them, by command.',
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
      description: 'Per second. The log has the reason of failures.',
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

const HTTP = 'http_server_request_duration_seconds';

const REQUESTS: RowSpec = {
  title: 'Does the HTTP API answer?',
  panels: [
    {
      kind: 'lines',
      title: 'Requests',
      description: 'By route pattern.',
      unit: 'reqps',
      queries: [
        {
          expr: `sum by (job, method, route) (rate(${HTTP}_count[$__rate_interval]))`,
          legend: '{{job}} {{method}} {{route}}',
        },
      ],
    },
    {
      kind: 'lines',
      title: 'Share of 5xx answers',
      description: 'Includes 503 while a dependency is away.',
      unit: 'percentunit',
      queries: [
        {
          expr:
            `(sum by (job) (rate(${HTTP}_count{status_class="5xx"}[$__rate_interval]))\n` +
            `  or 0 * sum by (job) (rate(${HTTP}_count[$__rate_interval])))\n` +
            `  / sum by (job) (rate(${HTTP}_count[$__rate_interval]))`,
          legend: '{{job}}',
        },
      ],
      max: 1,
      runbooks: ['StoreDown'],
    },
    {
      kind: 'lines',
      title: 'Duration, p95 by route',
      description: 'Without the time on the network.',
      unit: 's',
      queries: [
        {
          expr: `histogram_quantile(0.95, sum by (le, job, route) (rate(${HTTP}_bucket[$__rate_interval])))`,
          legend: '{{job}} {{route}}',
        },
      ],
    },
  ],
};

const MONITORING: RowSpec = {
  title: 'Does the monitoring itself work?',
  panels: [
    {
      kind: 'lines',
      title: 'Duration of scrapes and rules',
      description:
        'A scrape above 4 s is given up, and its target counts as down. The rules must stay far below 5 s.',
      unit: 's',
      queries: [
        { expr: 'max by (job) (scrape_duration_seconds)', legend: '{{job}}' },
        { expr: 'max(prometheus_rule_group_last_duration_seconds)', legend: 'rules' },
      ],
      bounds: { warning: 1, critical: 4 },
      runbooks: ['TargetDown', 'AlertPipelineBroken'],
    },
    {
      kind: 'lines',
      title: 'Series per scrape',
      description: 'Constant. A line that only rises is a label without a bound.',
      unit: 'short',
      queries: [{ expr: 'sum by (job) (scrape_samples_scraped)', legend: '{{job}}' }],
    },
    {
      kind: 'lines',
      title: 'Notifications',
      description:
        'failed and dropped ones, and failed rules, are 0; otherwise alerts are missing. No sent ones: no receiver is set.',
      unit: 'cps',
      queries: [
        { expr: 'sum(rate(alertmanager_notifications_total[$__rate_interval]))', legend: 'sent' },
        {
          expr: 'sum(rate(alertmanager_notifications_failed_total[$__rate_interval]))',
          legend: 'failed',
        },
        {
          expr: 'sum(rate(prometheus_notifications_dropped_total[$__rate_interval]))',
          legend: 'dropped',
        },
        {
          expr: 'sum(rate(prometheus_rule_evaluation_failures_total[$__rate_interval]))',
          legend: 'rules failed',
        },
      ],
      runbooks: ['AlertPipelineBroken'],
    },
    {
      kind: 'number',
      title: 'Alertmanagers',
      description: '1 is right. At 0 no alert leaves Prometheus.',
      unit: 'short',
      queries: [
        { expr: 'max(prometheus_notifications_alertmanagers_discovered)', legend: 'known' },
      ],
      bounds: { warning: 1, critical: 0.5 },
      runbooks: ['Watchdog'],
    },
  ],
};

export const WORKERS_AND_PLATFORM: DashboardSpec = {
  uid: 'fit-workers-and-platform',
  title: 'FIT 3 Workers and platform',
  description: 'Are coaches, processes, broker, database and monitoring healthy?',
  variables: ['instance'],
  rows: [COACHES, PROCESSES, BROKER, DATABASE, REQUESTS, MONITORING],
};
