/** What FIT stands on: broker, HTTP, database, connections, and the watching itself. */
import { CONNECTIONS, DATABASE } from './connections.ts';
import type { DashboardSpec, RowSpec } from './dashboardSpec.ts';
import { WATCHING } from './watching.ts';

const HTTP = 'http_server_request_duration_seconds';

const RUNNING: RowSpec = {
  title: 'What runs',
  panels: [
    {
      kind: 'number',
      title: 'Build',
      description: 'Version of each process. A new one is marked on every graph as a deploy.',
      unit: 'short',
      queries: [
        {
          expr: 'max by (job, version, commit) (app_build_info)',
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
  ],
};

const BROKER: RowSpec = {
  title: 'Broker',
  panels: [
    {
      kind: 'lines',
      title: 'Memory',
      description: 'At the limit the broker blocks every publisher.',
      unit: 'bytes',
      queries: [
        { expr: 'max(rabbitmq_process_resident_memory_bytes)', legend: 'used' },
        { expr: 'max(rabbitmq_resident_memory_limit_bytes)', legend: 'limit' },
      ],
      runbooks: ['BrokerMemoryHigh', 'BrokerAlarm'],
    },
    {
      kind: 'lines',
      title: 'Disk',
      description: 'Free space; below the limit the broker blocks every publisher.',
      unit: 'bytes',
      queries: [
        { expr: 'min(rabbitmq_disk_space_available_bytes)', legend: 'free' },
        { expr: 'max(rabbitmq_disk_space_available_limit_bytes)', legend: 'limit' },
      ],
      runbooks: ['BrokerDiskLow', 'BrokerAlarm'],
    },
    {
      kind: 'lines',
      title: 'Alarms',
      description: '1: publishers are blocked.',
      unit: 'short',
      queries: [
        { expr: 'max(rabbitmq_alarms_memory_used_watermark)', legend: 'memory' },
        { expr: 'max(rabbitmq_alarms_free_disk_space_watermark)', legend: 'disk' },
      ],
      max: 1,
      runbooks: ['BrokerAlarm'],
    },
  ],
};

const REQUESTS: RowSpec = {
  title: 'HTTP',
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
      title: 'Share of answers 5xx',
      description: "The server's own faults. 503 while a dependency is away is among them.",
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
      runbooks: ['EventLoopLag'],
    },
  ],
};

export const PLATFORM: DashboardSpec = {
  uid: 'fit-platform',
  title: 'FIT 7 Platform',
  description: 'What FIT stands on: broker, HTTP, database, connections, and the watching itself.',
  variables: [],
  rows: [RUNNING, BROKER, REQUESTS, DATABASE, CONNECTIONS, WATCHING],
};
