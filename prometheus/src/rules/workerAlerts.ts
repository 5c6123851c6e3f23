/** Alerts on the processes that work: none, too few, stuck, or cut off from what they need. */
import { ofRole } from './promql.ts';
import type { AlertRule } from './rule.ts';

/** One that is stuck for longer than any attempt may last: deadline plus retry of the store. */
const STUCK_SECONDS = 300;

/** Refreshed every 5 s; under full load one question may take ten (seen on a machine that did three things at once). */
const SILENT_SECONDS = 30;

const CONSUMERS: readonly AlertRule[] = [
  {
    alert: 'NoConsumers',
    expr: ofRole('queue:consumers == 0', 'main'),
    for: '30s',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'Nobody consumes {{ $labels.queue }}',
      description: 'Jobs are accepted and wait; none is done. Nothing is lost.',
      remedy:
        'Start a coach; if one runs, read its log: its circuit breaker opens while most attempts fail alike.',
    },
  },
  {
    // A warning only: the dead-letter recorder may be paused on purpose, and letters wait on the broker unharmed.
    alert: 'NoConsumers',
    expr: ofRole('queue:consumers == 0', 'dlq'),
    for: '30s',
    labels: { severity: 'warning' },
    annotations: {
      summary: 'Nobody takes in dead letters from {{ $labels.queue }}',
      description: 'Failed jobs are not marked dead in the records until their letters are read.',
      remedy: 'Start the monolith; where DEAD_LETTER_RECORDER is off, set it to on.',
    },
  },
  {
    alert: 'ParkedQueueConsumed',
    expr: ofRole('queue:consumers > 0', 'wait'),
    labels: { severity: 'warning' },
    annotations: {
      summary: 'Somebody consumes {{ $labels.queue }}, where messages only wait',
      description:
        'What it takes comes back to no coach; the reconciler publishes those jobs again, late.',
      remedy: 'Stop that consumer.',
    },
  },
  {
    alert: 'QueueStalled',
    expr: `${ofRole('min_over_time(queue:ready[5m]) > 0', 'main')}\n  unless on (queue) sum by (queue) (increase(jobs_attempts_total[5m])) > 0`,
    for: '1m',
    labels: { severity: 'critical' },
    annotations: {
      summary: '{{ $labels.queue }} has jobs and consumers, and none ends',
      description: 'Handlers hang, or no settlement reaches the database. Nothing is lost.',
      remedy: 'Read the coaches’ logs; restart one that hangs.',
    },
  },
];

export const WORKER_ALERTS: readonly AlertRule[] = [
  ...CONSUMERS,
  {
    alert: 'WorkersSaturated',
    expr: [
      'sum(rate(jobs_busy_seconds_total[5m])) / sum(jobs_worker_concurrency) > 0.9',
      `  and on () sum(${ofRole('queue:ready', 'main')}) > 10`,
    ].join('\n'),
    for: '2m',
    labels: { severity: 'warning' },
    annotations: {
      summary: 'All coaches are busy ({{ $value | humanizePercentage }}), and jobs wait',
      description: 'The backlog grows or shrinks only slowly.',
      remedy: 'Add coaches.',
    },
  },
  {
    alert: 'JobStuck',
    expr: `max by (instance) (jobs_oldest_in_flight_seconds) > ${STUCK_SECONDS}`,
    labels: { severity: 'warning' },
    annotations: {
      summary: 'A job at {{ $labels.instance }} has not ended for {{ $value | humanizeDuration }}',
      description:
        'Longer than any attempt may last: its handler ignores the deadline, or the store hangs.',
      remedy: 'Restart that coach; the job is delivered to another.',
    },
  },
  {
    alert: 'StoreDown',
    // A stage knows at once and until it is answered again; who has no work meets nothing, but the figures over the records
    // are refreshed every 5 s all the same. No count of outages: it rises once, and the alert ended while the outage went on.
    expr: [
      'max by (job, instance) (jobs_store_down) == 1',
      `or max by (job, instance) (jobs_records_age_seconds) > ${SILENT_SECONDS}`,
    ].join('\n'),
    for: '10s',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The database does not answer {{ $labels.job }} {{ $labels.instance }}',
      description:
        'Coaches end no job and hold what they were delivered, runs are refused with 503. No attempt is spent, nothing is lost.',
      remedy: 'Start the database; all goes on by itself.',
    },
  },
  {
    alert: 'AmqpUnstable',
    // The fourth: three restarts of a broker are work on it, and `increase` makes a little more than 3 of three.
    expr: [
      'max by (job, instance) (amqp_connection_up) == 0',
      'or max by (job, instance) (increase(amqp_reconnects_total[10m])) > 3.5',
      'or max by (job, instance) (amqp_connection_blocked) > 0',
    ].join('\n'),
    for: '30s',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $labels.instance }} has no steady connection to the broker',
      description: 'It is down, comes and goes, or is blocked by an alarm of the broker.',
      remedy: 'Look at the broker and the network between.',
    },
  },
  {
    alert: 'EventLoopLag',
    expr: 'max by (job, instance) (nodejs_eventloop_lag_p99_seconds) > 0.25',
    for: '5m',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $labels.instance }} stops for {{ $value | humanizeDuration }} at a time',
      description: 'Something computes on its event loop: heartbeats and probes are at risk.',
      remedy: 'Take a CPU profile of it; lower its concurrency until then.',
    },
  },
];
