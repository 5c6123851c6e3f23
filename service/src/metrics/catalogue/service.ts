/** Metrics of a process as such: build, draining, HTTP, its database client. */
import type { MetricDefinition } from '../definition.ts';
import { ALL_PROCESSES, SERVICES } from '../definition.ts';

/** What FIT sends often enough to be told apart. */
const COMMAND = [
  'insert',
  'update',
  'find',
  'getMore',
  'aggregate',
  'findAndModify',
  'delete',
  'createIndexes',
  'ping',
  'other',
];

export const SERVICE_METRICS = {
  app_build_info: {
    kind: 'gauge',
    help: 'Always 1; the labels say what runs',
    exportedBy: ALL_PROCESSES,
    labels: {
      version: { atMost: 1, of: 'FIT_VERSION, or dev' },
      commit: { atMost: 1, of: 'FIT_COMMIT, or unknown' },
    },
    appearsWhen: 'set at the start',
  },
  app_draining: {
    kind: 'gauge',
    help: '1 from the signal to stop until the end: it finishes what runs and takes nothing new',
    exportedBy: ALL_PROCESSES,
    labels: {},
  },
  http_server_request_duration_seconds: {
    kind: 'histogram',
    help: 'Requests to the public port by route pattern; none: no route matched',
    unit: 'seconds',
    exportedBy: SERVICES,
    labels: {
      method: ['GET', 'POST', 'PUT', 'DELETE', 'other'],
      route: { known: 'route' },
      status_class: ['2xx', '3xx', '4xx', '5xx', 'other'],
    },
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    appearsWhen:
      'each route starts at 0 with its method for 2xx, 4xx and 5xx; others when they occur',
  },
  mongodb_pool_connections: {
    kind: 'gauge',
    help: 'Connections to the store; pending: operations that wait for one',
    exportedBy: SERVICES,
    labels: { state: ['in_use', 'idle', 'pending'] },
  },
  mongodb_pool_checkout_failures_total: {
    kind: 'counter',
    help: 'Operations that got no connection to the store',
    exportedBy: SERVICES,
    labels: {},
  },
  mongodb_command_duration_seconds: {
    kind: 'histogram',
    help: 'Commands to the store, as its driver timed them',
    unit: 'seconds',
    exportedBy: SERVICES,
    labels: { command: COMMAND, outcome: ['ok', 'failed'] },
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;
