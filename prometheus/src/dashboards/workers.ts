/** The coaches at work, and the health of FIT's own processes. */
import type { DashboardSpec, RowSpec } from './dashboardSpec.ts';

/** FIT's own: Prometheus and Alertmanager export series of the same names. */
const OURS = '{job=~"monolith|coach|cron",instance=~"$instance"}';

const WORK: RowSpec = {
  title: 'Work',
  panels: [
    {
      kind: 'lines',
      title: 'Utilisation',
      description: 'Share of the handlers that are at work. Near 1 with a backlog: more coaches.',
      unit: 'percentunit',
      queries: [
        {
          expr:
            'sum by (instance) (rate(jobs_busy_seconds_total{instance=~"$instance"}[$__rate_interval]))\n' +
            '  / sum by (instance) (jobs_worker_concurrency{instance=~"$instance"})',
          legend: '{{instance}}',
        },
      ],
      bounds: { warning: 0.9, critical: 1 },
      runbooks: ['WorkersSaturated'],
    },
    {
      kind: 'lines',
      title: 'In flight',
      description: 'Deliveries that a coach holds, and handlers it has. At most COACH_PREFETCH.',
      unit: 'short',
      queries: [
        { expr: 'jobs_in_flight{instance=~"$instance"}', legend: '{{instance}}' },
        {
          expr: 'jobs_worker_concurrency{instance=~"$instance"}',
          legend: 'handlers of {{instance}}',
        },
      ],
      runbooks: ['QueueStalled'],
    },
    {
      kind: 'lines',
      title: 'Oldest in flight',
      description:
        'Above the deadline of an attempt (30 s): its result cannot be stored, or the process hangs.',
      unit: 's',
      queries: [
        { expr: 'jobs_oldest_in_flight_seconds{instance=~"$instance"}', legend: '{{instance}}' },
      ],
      bounds: { warning: 60, critical: 300 },
      runbooks: ['JobStuck'],
    },
    {
      kind: 'lines',
      title: 'Since the last success',
      description: 'Of each coach. Rises between runs; during one it should stay near 0.',
      unit: 's',
      queries: [
        {
          expr: 'time() - (jobs_last_success_timestamp_seconds{instance=~"$instance"} > 0)',
          legend: '{{instance}}',
        },
      ],
      runbooks: ['QueueStalled'],
    },
    {
      kind: 'lines',
      title: 'Draining',
      description: '1 while a process finishes what it has before it ends.',
      unit: 'short',
      queries: [{ expr: 'app_draining{instance=~"$instance"}', legend: '{{job}} {{instance}}' }],
      max: 1,
    },
  ],
};

const PROCESSES: RowSpec = {
  title: 'Processes',
  panels: [
    {
      kind: 'lines',
      title: 'Event loop, p99',
      description:
        'How late the process comes to its next task. Above 0.25 s heartbeats and requests suffer.',
      unit: 's',
      queries: [
        { expr: `nodejs_eventloop_lag_p99_seconds${OURS}`, legend: '{{job}} {{instance}}' },
      ],
      bounds: { warning: 0.1, critical: 0.25 },
      runbooks: ['EventLoopLag'],
    },
    {
      kind: 'lines',
      title: 'Processor',
      description: 'Cores. Near 1 a Node process is at its end.',
      unit: 'short',
      queries: [
        {
          expr: `rate(process_cpu_seconds_total${OURS}[$__rate_interval])`,
          legend: '{{job}} {{instance}}',
        },
      ],
      runbooks: ['EventLoopLag', 'WorkersSaturated'],
    },
    {
      kind: 'lines',
      title: 'Heap in use',
      description: 'The limit is 96 MiB of old space. A saw is healthy, a staircase is a leak.',
      unit: 'bytes',
      queries: [{ expr: `nodejs_heap_size_used_bytes${OURS}`, legend: '{{job}} {{instance}}' }],
      runbooks: ['EventLoopLag'],
    },
    {
      kind: 'lines',
      title: 'Memory of the process',
      description: 'Resident. Compose ends a process at 512 MiB.',
      unit: 'bytes',
      queries: [{ expr: `process_resident_memory_bytes${OURS}`, legend: '{{job}} {{instance}}' }],
      runbooks: ['TargetDown'],
    },
    {
      kind: 'lines',
      title: 'Open files and sockets',
      description: 'A line that only rises is a leak; the process fails at its limit.',
      unit: 'short',
      queries: [{ expr: `process_open_fds${OURS}`, legend: '{{job}} {{instance}}' }],
    },
  ],
};

export const WORKERS: DashboardSpec = {
  uid: 'fit-workers',
  title: 'FIT 6 Workers',
  description: "The coaches at work, and the health of FIT's own processes.",
  variables: ['instance'],
  rows: [WORK, PROCESSES],
};
