/** What prom-client exports of Node and the process by itself; listed, so that the catalogue is whole. */
import { ALL_PROCESSES, type MetricDefinition } from '../definition.ts';

const gauge = (help: string, unit?: 'seconds' | 'bytes'): MetricDefinition => ({
  kind: 'gauge',
  help,
  exportedBy: ALL_PROCESSES,
  labels: {},
  ...(unit === undefined ? {} : { unit }),
});
const grouped = (help: string, label: string, of: string): MetricDefinition => ({
  kind: 'gauge',
  help,
  exportedBy: ALL_PROCESSES,
  labels: { [label]: { atMost: 20, of } },
  appearsWhen: 'as they occur',
});
const cpu = (help: string): MetricDefinition => ({
  kind: 'counter',
  help,
  unit: 'seconds',
  exportedBy: ALL_PROCESSES,
  labels: {},
});
const lag = (help: string): MetricDefinition => gauge(help, 'seconds');
const bytes = (help: string): MetricDefinition => gauge(help, 'bytes');
const space = (help: string): MetricDefinition => ({
  ...grouped(help, 'space', 'spaces of V8'),
  unit: 'bytes',
});

export const RUNTIME_METRICS: Readonly<Record<string, MetricDefinition>> = {
  process_cpu_user_seconds_total: cpu('CPU time in user mode'),
  process_cpu_system_seconds_total: cpu('CPU time in the kernel'),
  process_cpu_seconds_total: cpu('CPU time, both'),
  process_start_time_seconds: gauge('Start of the process, Unix time', 'seconds'),
  process_resident_memory_bytes: bytes('Resident memory'),
  process_virtual_memory_bytes: bytes('Virtual memory'),
  process_heap_bytes: bytes('Data segment of the process'),
  process_open_fds: gauge('Open file descriptors'),
  process_max_fds: gauge('Most that may be open'),
  nodejs_eventloop_lag_seconds: lag('Lag of the event loop at the scrape'),
  nodejs_eventloop_lag_min_seconds: lag('Least since the last scrape'),
  nodejs_eventloop_lag_max_seconds: lag('Most since the last scrape'),
  nodejs_eventloop_lag_mean_seconds: lag('Mean since the last scrape'),
  nodejs_eventloop_lag_stddev_seconds: lag('Standard deviation since the last scrape'),
  nodejs_eventloop_lag_p50_seconds: lag('50th percentile since the last scrape'),
  nodejs_eventloop_lag_p90_seconds: lag('90th percentile since the last scrape'),
  nodejs_eventloop_lag_p99_seconds: lag('99th percentile since the last scrape'),
  nodejs_active_resources: grouped('What keeps the event loop alive', 'type', 'resource types'),
  nodejs_active_resources_total: gauge('The same, summed'),
  nodejs_active_handles: grouped('Active handles of libuv', 'type', 'handle types'),
  nodejs_active_handles_total: gauge('The same, summed'),
  nodejs_active_requests: grouped('Active requests of libuv', 'type', 'request types'),
  nodejs_active_requests_total: gauge('The same, summed'),
  nodejs_heap_size_total_bytes: bytes('Heap that V8 has taken'),
  nodejs_heap_size_used_bytes: bytes('Heap in use'),
  nodejs_external_memory_bytes: bytes('Memory of objects outside the heap'),
  nodejs_heap_space_size_total_bytes: space('Size of a space of the heap'),
  nodejs_heap_space_size_used_bytes: space('Used in a space of the heap'),
  nodejs_heap_space_size_available_bytes: space('Free in a space of the heap'),
  nodejs_version_info: {
    ...gauge('Always 1; the version of Node'),
    labels: {
      version: { atMost: 1, of: 'versions' },
      major: { atMost: 1, of: 'numbers' },
      minor: { atMost: 1, of: 'numbers' },
      patch: { atMost: 1, of: 'numbers' },
    },
    appearsWhen: 'set at the start',
  },
};
