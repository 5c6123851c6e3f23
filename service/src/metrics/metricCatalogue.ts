/**
 * Every metric that FIT's processes export, as data. Prometheus' rules, METRICS.md and the metric set of each process are
 * made from it, and a test compares it with what the live processes export, in both directions.
 *
 * To add a metric, add it here, and count it where its event is received: `countJobs.ts` (jobs), `countBroker.ts`
 * (publishes and connections), `countStore.ts` (database) or `countRequests.ts` (HTTP). The compiler checks its labels.
 */
import { DEATH_CAUSES } from '@fit/topology';

/** A process of FIT that Prometheus scrapes. */
export type ProcessName = 'monolith' | 'coach' | 'cron';

/** A set of label values that a process knows at its start, from the declaration or its routes. */
export type KnownLabel = 'vhost' | 'queue' | 'mainQueue' | 'waitQueue' | 'kind' | 'route';

/** The allowed values of a label: a closed list, values known at the start, or the first `atMost` values that occur. */
export type LabelBound =
  | readonly string[]
  | { readonly known: KnownLabel }
  | { readonly atMost: number; readonly of: string };

export interface MetricDefinition {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** What the metric counts and when, for an operator who reads it at night. */
  readonly help: string;
  /** The base unit; absent for a number of things and for 0 or 1. */
  readonly unit?: 'seconds' | 'bytes';
  readonly exportedBy: readonly ProcessName[];
  /** A value outside its bound is exported as `other`. */
  readonly labels: Readonly<Record<string, LabelBound>>;
  /** Upper bounds of a histogram, in its unit. */
  readonly buckets?: readonly number[];
  /** When the label sets appear, where they are not exported from the start; absent: each label set starts at 0. */
  readonly appearsWhen?: string;
}

/** The label value that stands for all values outside of the bound. */
export const OTHER = 'other';

const SERVICES = ['monolith', 'coach'] as const satisfies readonly ProcessName[];
const ALL_PROCESSES = ['monolith', 'coach', 'cron'] as const satisfies readonly ProcessName[];

const QUEUE = { known: 'queue' } as const;
const MAIN_QUEUE = { known: 'mainQueue' } as const;
const WAIT_QUEUE = { known: 'waitQueue' } as const;
const VHOST = { known: 'vhost' } as const;
/** The kind of the job. */
const KIND = { known: 'kind' } as const;
const CAUSE = [...DEATH_CAUSES, 'forged'] as const;
const END_OUTCOME = ['success', 'dead'] as const;
const ATTEMPT_OUTCOME = ['success', 'retry', 'dead', 'discarded'] as const;

/** From 50 ms to half an hour. 60 must stay a bucket of its own, because it is the bound of the service level objective. */
const LATENCY_SECONDS = [
  0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800,
] as const;

const TRANSITION = ['run', 'wait', 'finish', 'markDead', 'reconcile', 'replay', 'cancel'];
const STAGE = [
  'relay',
  'reconcile',
  'retention',
  'deadLetterRecorder',
  'storeEffects',
  'changeRecords',
];

const JOB_METRICS = {
  jobs_attempts_total: {
    kind: 'counter',
    help: 'Attempts that ended; retry: the job waits for another attempt, dead: no further attempt, discarded: the job was not wanted any more',
    exportedBy: ['coach'],
    labels: { queue: MAIN_QUEUE, kind: KIND, outcome: ATTEMPT_OUTCOME },
  },
  jobs_run_seconds: {
    kind: 'histogram',
    help: 'Duration of attempts, failures included',
    unit: 'seconds',
    exportedBy: ['coach'],
    labels: { kind: KIND, outcome: ATTEMPT_OUTCOME },
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  jobs_failures_total: {
    kind: 'counter',
    help: 'Failed attempts by error class; beyond twenty classes in one process they count as other',
    exportedBy: ['coach'],
    labels: { kind: KIND, error_class: { atMost: 20, of: 'names of error classes' } },
  },
  jobs_retries_scheduled_total: {
    kind: 'counter',
    help: 'Failed attempts sent to wait, by the wait queue',
    exportedBy: ['coach'],
    labels: { queue: WAIT_QUEUE },
  },
  jobs_queue_wait_seconds: {
    kind: 'histogram',
    help: 'From publish, or from the end of the wait, to delivery (the broker reports it in whole seconds)',
    unit: 'seconds',
    exportedBy: ['coach'],
    labels: { queue: MAIN_QUEUE },
    buckets: LATENCY_SECONDS,
  },
  jobs_finished_total: {
    kind: 'counter',
    help: 'Jobs that ended, once each, when the end is written to the job record',
    exportedBy: SERVICES,
    labels: { kind: KIND, outcome: END_OUTCOME },
  },
  jobs_dead_lettered_total: {
    kind: 'counter',
    help: 'Jobs that died and dead letters without a job, once each, by cause; a dead letter without a job counts when it is first stored',
    exportedBy: SERVICES,
    labels: { kind: KIND, cause: CAUSE },
  },
  jobs_end_to_end_seconds: {
    kind: 'histogram',
    help: 'From first enqueue to the first end of the job, waits included; a replay is not timed',
    unit: 'seconds',
    exportedBy: SERVICES,
    labels: { kind: KIND, outcome: END_OUTCOME },
    buckets: LATENCY_SECONDS,
  },
  jobs_attempts_per_job: {
    kind: 'histogram',
    help: 'Attempts that a job had when it ended, since its last replay',
    exportedBy: SERVICES,
    labels: { kind: KIND, outcome: END_OUTCOME },
    buckets: [1, 2, 3, 4, 5, 6, 8, 10],
  },
  jobs_redelivered_total: {
    kind: 'counter',
    help: 'Deliveries that the broker marks as redelivered; their worker may have crashed',
    exportedBy: ['coach'],
    labels: { queue: MAIN_QUEUE },
  },
  jobs_refused_total: {
    kind: 'counter',
    help: 'Messages dead-lettered before an attempt: malformed, forged, or too many crashes',
    exportedBy: ['coach'],
    labels: { queue: MAIN_QUEUE },
  },
  jobs_attempt_mismatch_total: {
    kind: 'counter',
    help: 'Deliveries whose routing key and x-death give different attempt numbers; expected after a republish',
    exportedBy: ['coach'],
    labels: { queue: MAIN_QUEUE },
  },
  jobs_unchanged_total: {
    kind: 'counter',
    help: 'Late or repeated state changes that did not change the job record',
    exportedBy: ['coach'],
    labels: { transition: TRANSITION },
  },
  jobs_store_outages_total: {
    kind: 'counter',
    help: 'Times that a stage of the work found the database unavailable',
    exportedBy: SERVICES,
    labels: { stage: STAGE },
  },
  jobs_stage_failures_total: {
    kind: 'counter',
    help: 'Failures of a stage while the database is available: a document is refused, or the stage has a defect',
    exportedBy: SERVICES,
    labels: { stage: STAGE },
  },
  jobs_store_down: {
    kind: 'gauge',
    help: '1 from the first time that a stage of the work finds the database unavailable until it answers that stage again',
    exportedBy: SERVICES,
    labels: { stage: STAGE },
  },
  jobs_worker_concurrency: {
    kind: 'gauge',
    help: 'Handlers of a kind that this process runs at a time',
    exportedBy: ['coach'],
    labels: { kind: KIND },
  },
  jobs_in_flight: {
    kind: 'gauge',
    help: 'Deliveries that are not settled yet, those that wait in the worker included',
    exportedBy: ['coach'],
    labels: {},
  },
  jobs_oldest_in_flight_seconds: {
    kind: 'gauge',
    help: 'Time since the oldest unsettled delivery arrived; 0 without one',
    unit: 'seconds',
    exportedBy: ['coach'],
    labels: {},
  },
  jobs_busy_seconds_total: {
    kind: 'counter',
    help: 'Time that handlers ran; its rate over jobs_worker_concurrency is the utilisation',
    unit: 'seconds',
    exportedBy: ['coach'],
    labels: { kind: KIND },
  },
  jobs_last_success_timestamp_seconds: {
    kind: 'gauge',
    help: 'When this process last finished a job; 0 before the first',
    unit: 'seconds',
    exportedBy: ['coach'],
    labels: {},
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

const LIVE = ['pending', 'queued', 'running', 'waiting'] as const;

const RECORD_METRICS = {
  jobs_by_state: {
    kind: 'gauge',
    help: 'Jobs by state, as of jobs_records_age_seconds ago; pending: not published yet, users of an accepted run included; done is an estimate of the database and includes cancelled jobs; replicas export equal figures',
    exportedBy: ['monolith'],
    labels: { state: [...LIVE, 'done', 'dead'] },
  },
  jobs_oldest_age_seconds: {
    kind: 'gauge',
    help: 'Age of the oldest job of a state since it became eligible, for pending and queued that of its batch; a wait that has not ended counts as 0',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: { state: LIVE },
  },
  jobs_outbox_pending: {
    kind: 'gauge',
    help: 'Jobs that the broker has not confirmed yet: users of runs that are not recorded yet, and jobs of open batches',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_outbox_oldest_age_seconds: {
    kind: 'gauge',
    help: 'Age of the oldest open batch, or time since a run that is not recorded yet made progress',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_records_age_seconds: {
    kind: 'gauge',
    help: 'Age of the four figures above: above 30 the database does not answer and the figures are old',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_records_refresh_failures_total: {
    kind: 'counter',
    help: 'Refreshes of these figures that failed or were not answered in time',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_relay_last_timestamp_seconds: {
    kind: 'gauge',
    help: 'When the relay last looked for work without an error; every replica has a relay of its own',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_reconcile_last_timestamp_seconds: {
    kind: 'gauge',
    help: 'When the reconciler last ended a round without an error; 0 while another replica holds its lease',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_retention_last_timestamp_seconds: {
    kind: 'gauge',
    help: 'When the retention last ended a round without an error; 0 while another replica holds its lease',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: {},
  },
  daily_run_due_timestamp_seconds: {
    kind: 'gauge',
    help: 'By when the next daily run must have ended, as cron reported after the last run; 0 where no run is expected. Stored in the database',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: {},
    appearsWhen: 'once the database was read: a 0 right after the start would end an alert',
  },
  jobs_reconciled_total: {
    kind: 'counter',
    help: 'Lost jobs that the reconciler gave to the relay again',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_replayed_total: {
    kind: 'counter',
    help: 'Replayed jobs that the broker confirmed again',
    exportedBy: ['monolith'],
    labels: { kind: KIND },
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

/** Reply codes of AMQP 0-9-1 that close a channel; RabbitMQ sends only some of them. */
const CHANNEL_CODE = ['311', '313', '403', '404', '405', '406', '506', '540', '541', 'other'];

const BROKER_METRICS = {
  jobs_published_total: {
    kind: 'counter',
    help: 'Publishes by their queue and the answer of the broker; error: no connection, or it was lost',
    exportedBy: SERVICES,
    labels: {
      queue: QUEUE,
      outcome: ['confirmed', 'nacked', 'returned', 'unsendable', 'timeout', 'error'],
    },
  },
  jobs_publish_confirm_seconds: {
    kind: 'histogram',
    help: 'From publish to the answer of the broker, also of refused publishes',
    unit: 'seconds',
    exportedBy: SERVICES,
    labels: { queue: QUEUE },
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  jobs_publish_pending: {
    kind: 'gauge',
    help: 'Publishes without an answer yet',
    exportedBy: SERVICES,
    labels: {},
  },
  amqp_connection_up: {
    kind: 'gauge',
    help: '1 while every AMQP connection of this process is open',
    exportedBy: SERVICES,
    labels: {},
  },
  amqp_connection_blocked: {
    kind: 'gauge',
    help: '1 while a memory or disk alarm of the broker blocks publishing',
    exportedBy: SERVICES,
    labels: {},
  },
  amqp_reconnects_total: {
    kind: 'counter',
    help: 'Times that the process lost the broker; connections lost together count once',
    exportedBy: SERVICES,
    labels: {},
  },
  amqp_channel_errors_total: {
    kind: 'counter',
    help: 'Channels that the broker closed, by reply code',
    exportedBy: SERVICES,
    labels: { code: CHANNEL_CODE },
  },
  jobs_queue_paused: {
    kind: 'gauge',
    help: '1 while an operator has paused the main queue, so that its workers take nothing; as the process read it from the database, every 2 s',
    exportedBy: SERVICES,
    labels: { vhost: VHOST, queue: MAIN_QUEUE },
  },
  jobs_queue_max_length: {
    kind: 'gauge',
    help: 'Declared limit of the queue in messages',
    exportedBy: SERVICES,
    labels: { vhost: VHOST, queue: QUEUE },
    appearsWhen: 'set at the start, for queues with a limit',
  },
  jobs_queue_live_max_length: {
    kind: 'gauge',
    help: 'The limit that the broker enforces, by argument or policy; infinite where it was removed',
    exportedBy: ['monolith'],
    labels: { vhost: VHOST, queue: QUEUE },
    appearsWhen:
      'read from the management API every 5 s, for queues declared with a limit; never without that API',
  },
  jobs_queue_ttl_seconds: {
    kind: 'gauge',
    help: 'Declared time to live of messages in the queue',
    unit: 'seconds',
    exportedBy: SERVICES,
    labels: { vhost: VHOST, queue: QUEUE },
    appearsWhen: 'set at the start, for queues with a time to live',
  },
  jobs_queue_info: {
    kind: 'gauge',
    help: 'Always 1, one series for each declared queue; tier: 1 and up for a wait queue, else 0',
    exportedBy: SERVICES,
    labels: {
      vhost: VHOST,
      queue: QUEUE,
      role: ['main', 'wait', 'dlq'],
      tier: { atMost: 20, of: 'tiers' },
    },
    appearsWhen: 'set at the start, one for each queue',
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

/** Statements that FIT sends often enough to be exported one by one. */
const COMMAND = [
  'insert',
  'update',
  'find',
  'aggregate',
  'findAndModify',
  'delete',
  'ping',
  'other',
];

const SERVICE_METRICS = {
  app_build_info: {
    kind: 'gauge',
    help: 'Always 1; the labels name the release that runs',
    exportedBy: ALL_PROCESSES,
    labels: {
      version: { atMost: 1, of: 'FIT_VERSION, or dev' },
      commit: { atMost: 1, of: 'FIT_COMMIT, or unknown' },
    },
    appearsWhen: 'set at the start',
  },
  app_draining: {
    kind: 'gauge',
    help: '1 from the signal to stop until the end of the process',
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
    help: 'Connections to the database; pending: operations that wait for one',
    exportedBy: SERVICES,
    labels: { state: ['in_use', 'idle', 'pending'] },
  },
  mongodb_pool_checkout_failures_total: {
    kind: 'counter',
    help: 'Operations that got no connection to the database',
    exportedBy: SERVICES,
    labels: {},
  },
  mongodb_command_duration_seconds: {
    kind: 'histogram',
    help: 'Statements to the database, with the wait for a connection',
    unit: 'seconds',
    exportedBy: SERVICES,
    labels: { command: COMMAND, outcome: ['ok', 'failed'] },
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

const CRON_METRICS = {
  cron_runs_total: {
    kind: 'counter',
    help: 'Slots that ended; complete: every workout exists, incomplete: some are missing, failed: the run was not accepted or did not end within CRON_WAIT_MS',
    exportedBy: ['cron'],
    labels: { outcome: ['complete', 'incomplete', 'failed'] },
  },
  cron_run_duration_seconds: {
    kind: 'histogram',
    help: 'From the slot to the end of the run',
    unit: 'seconds',
    exportedBy: ['cron'],
    labels: {},
    buckets: [1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600],
  },
  cron_last_success_timestamp_seconds: {
    kind: 'gauge',
    help: 'When a run last ended complete; 0 before the first one of this process',
    unit: 'seconds',
    exportedBy: ['cron'],
    labels: {},
  },
  cron_next_run_timestamp_seconds: {
    kind: 'gauge',
    help: 'When the next slot is due',
    unit: 'seconds',
    exportedBy: ['cron'],
    labels: {},
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

/** Metrics of Node and the process, which prom-client makes. They are listed so that the catalogue is complete. */
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

const RUNTIME_METRICS: Readonly<Record<string, MetricDefinition>> = {
  process_cpu_user_seconds_total: cpu('CPU time in user mode'),
  process_cpu_system_seconds_total: cpu('CPU time in the kernel'),
  process_cpu_seconds_total: cpu('CPU time in user mode and in the kernel'),
  process_start_time_seconds: gauge('Start of the process, Unix time', 'seconds'),
  process_resident_memory_bytes: bytes('Resident memory'),
  process_virtual_memory_bytes: bytes('Virtual memory'),
  process_heap_bytes: bytes('Data segment of the process'),
  process_open_fds: gauge('Open file descriptors'),
  process_max_fds: gauge('Limit of open file descriptors'),
  nodejs_eventloop_lag_seconds: lag('Lag of the event loop at the scrape'),
  nodejs_eventloop_lag_min_seconds: lag(
    'Minimum since the last scrape, with the 50 ms between two looks; so in the next ones',
  ),
  nodejs_eventloop_lag_max_seconds: lag('Maximum since the last scrape'),
  nodejs_eventloop_lag_mean_seconds: lag('Mean since the last scrape'),
  nodejs_eventloop_lag_stddev_seconds: lag('Standard deviation since the last scrape'),
  nodejs_eventloop_lag_p50_seconds: lag('50th percentile since the last scrape'),
  nodejs_eventloop_lag_p90_seconds: lag('90th percentile since the last scrape'),
  nodejs_eventloop_lag_p99_seconds: lag('99th percentile since the last scrape'),
  nodejs_active_resources: grouped(
    'Resources that keep the event loop alive',
    'type',
    'resource types',
  ),
  nodejs_active_resources_total: gauge('Sum over the types'),
  nodejs_active_handles: grouped('Active handles of libuv', 'type', 'handle types'),
  nodejs_active_handles_total: gauge('Sum over the types'),
  nodejs_active_requests: grouped('Active requests of libuv', 'type', 'request types'),
  nodejs_active_requests_total: gauge('Sum over the types'),
  nodejs_heap_size_total_bytes: bytes('Heap that V8 has allocated'),
  nodejs_heap_size_used_bytes: bytes('Heap in use'),
  nodejs_external_memory_bytes: bytes('Memory of objects outside the heap'),
  nodejs_heap_space_size_total_bytes: space('Size of a space of the heap'),
  nodejs_heap_space_size_used_bytes: space('Used in a space of the heap'),
  nodejs_heap_space_size_available_bytes: space('Free in a space of the heap'),
  nodejs_gc_duration_seconds: {
    kind: 'histogram',
    help: 'Garbage collections by kind; too few are counted, because of collections that Node reports together prom-client counts one',
    unit: 'seconds',
    exportedBy: ALL_PROCESSES,
    labels: { kind: ['major', 'minor', 'incremental', 'weakcb'] },
    buckets: [0.001, 0.01, 0.1, 1, 2, 5],
    appearsWhen: 'as they occur',
  },
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

/** The metrics that FIT makes from these definitions. */
export const OWN_METRICS = {
  ...JOB_METRICS,
  ...RECORD_METRICS,
  ...BROKER_METRICS,
  ...SERVICE_METRICS,
  ...CRON_METRICS,
} as const;

export type MetricName = keyof typeof OWN_METRICS;
type Definition<Name extends MetricName> = (typeof OWN_METRICS)[Name];

/** The names of one kind of metric. */
export type NameOf<Kind extends MetricDefinition['kind']> = {
  [Name in MetricName]: Definition<Name>['kind'] extends Kind ? Name : never;
}[MetricName];

/** The labels that a value of a metric must carry. */
export type LabelsOf<Name extends MetricName> = Readonly<
  Record<keyof Definition<Name>['labels'], string>
>;

export interface MetricSection {
  readonly title: string;
  readonly metrics: Readonly<Record<string, MetricDefinition>>;
}

/**
 * Upper bound of the series of one process with the registered kinds of job, each of which brings about 250 to a coach. More of them
 * mean a label without a bound; a test compares the live processes.
 */
export const SERIES_CEILINGS: Readonly<Record<ProcessName, number>> = {
  monolith: 5_000,
  coach: 2_500,
  cron: 130,
};

/** The whole catalogue, in the order in which it is documented. */
export const CATALOGUE: readonly MetricSection[] = [
  { title: 'Attempts and ends of jobs', metrics: JOB_METRICS },
  { title: 'Records, relay, reconciler, replay', metrics: RECORD_METRICS },
  { title: 'Publishing, AMQP, what was declared', metrics: BROKER_METRICS },
  { title: 'Process, HTTP, database client', metrics: SERVICE_METRICS },
  { title: 'Daily trigger', metrics: CRON_METRICS },
  { title: 'Node and the process (prom-client)', metrics: RUNTIME_METRICS },
];

/**
 * A common metric name that FIT does not export, and the metric that answers the same question. Used by METRICS.md and a
 * test.
 */
export interface MetricAlias {
  readonly alias: string;
  /** The name of the metric in the catalogue. */
  readonly metric: string;
  readonly query: string;
  /** How the metric differs from what the common name suggests. */
  readonly difference: string;
}

export const METRIC_ALIASES: readonly MetricAlias[] = [
  {
    alias: 'messages_produced_total',
    metric: 'jobs_published_total',
    query: 'sum by (queue) (rate(jobs_published_total{outcome="confirmed"}[1m]))',
    difference: 'by the answer of the broker: only confirmed messages are produced',
  },
  {
    alias: 'messages_consumed_total',
    metric: 'jobs_attempts_total',
    query: 'sum by (queue) (rate(jobs_attempts_total[1m]))',
    difference:
      'an attempt is a delivery that was worked on; messages dead-lettered before an attempt are jobs_refused_total',
  },
  {
    alias: 'message_processing_duration_seconds',
    metric: 'jobs_run_seconds',
    query: 'histogram_quantile(0.95, sum by (le, kind) (rate(jobs_run_seconds_bucket[5m])))',
    difference: 'failures included, by outcome',
  },
  {
    alias: 'message_processing_errors_total',
    metric: 'jobs_failures_total',
    query: 'sum by (kind, error_class) (rate(jobs_failures_total[5m]))',
    difference:
      'by error class; jobs_retries_scheduled_total and jobs_dead_lettered_total count what happened to the jobs',
  },
  {
    alias: 'http_request_duration_seconds',
    metric: 'http_server_request_duration_seconds',
    query:
      'histogram_quantile(0.95, sum by (le, route) (rate(http_server_request_duration_seconds_bucket[5m])))',
    difference: 'by route pattern and status class; the name follows the OpenTelemetry conventions',
  },
];
