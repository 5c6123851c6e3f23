/** Alerts on the state of a queue: how full, who consumes it, whether it exists. */
import { maxByQueue, ON_QUEUE, ofRole } from './promql.ts';
import type { AlertRule } from './rule.ts';

const NEAR_FULL = {
  alert: 'QueueNearFull',
  keep_firing_for: '1m',
  annotations: {
    summary: '{{ $labels.queue }} is {{ $value | humanizePercentage }} full',
    description:
      'A full queue refuses jobs (they stay in the outbox, late but safe); under drop-head it dead-letters its oldest.',
    remedy: 'Add coaches; if it still fills, pause new runs.',
  },
} as const;

/** The lower threshold has no upper bound: a band with a `for` never fires while a queue runs through it. */
const FILL: readonly AlertRule[] = [
  {
    ...NEAR_FULL,
    expr: 'queue:fill:ratio >= 0.7',
    for: '10s',
    labels: { severity: 'warning' },
  },
  {
    ...NEAR_FULL,
    expr: 'queue:fill:ratio >= 0.9',
    labels: { severity: 'critical' },
  },
  {
    // A fifth full at least: a trend over few messages is noise.
    alert: 'QueueFillingUp',
    expr: `queue:fill:time_to_full_seconds < 300 and ${ON_QUEUE} queue:fill:ratio > 0.2`,
    for: '10s',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $labels.queue }} will be full in {{ $value | humanizeDuration }}',
      description:
        'Jobs arrive faster than the coaches finish them, by the trend of the last minute.',
      remedy: 'Add coaches, or look for what slows them.',
    },
  },
];

const CONSUMERS: readonly AlertRule[] = [
  {
    alert: 'NoConsumers',
    expr: ofRole('queue:consumers == 0', 'main'),
    for: '30s',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'Nobody consumes {{ $labels.queue }}',
      description: 'Jobs are accepted and wait; none is done. Nothing is lost.',
      remedy: 'Start a coach; if one runs, read its /readyz: it pauses while its store is down.',
    },
  },
  {
    // A warning only: the intake may be paused on purpose, and letters wait on the broker unharmed.
    alert: 'NoConsumers',
    expr: ofRole('queue:consumers == 0', 'dlq'),
    for: '30s',
    labels: { severity: 'warning' },
    annotations: {
      summary: 'Nobody takes in dead letters from {{ $labels.queue }}',
      description: 'Failed jobs are not marked dead in the records until their letters are read.',
      remedy: 'Start the monolith, or resume its intake.',
    },
  },
];

/** The broker that is down has an alert of its own; then its queues are unknown, not missing. */
const BROKER_UP = 'and on () group(up{job="rabbitmq-queues"} == 1)';

/** Both extremes, since two processes may differ from the rules in different directions. */
const DRIFT_EXPR = [
  `max by (vhost, queue) (jobs_queue_max_length) != ${ON_QUEUE} queue:max_length`,
  `or min by (vhost, queue) (jobs_queue_max_length) != ${ON_QUEUE} queue:max_length`,
  `or ${maxByQueue('jobs_queue_info')} unless ${ON_QUEUE} queue:info`,
].join('\n');

const DECLARATION: readonly AlertRule[] = [
  {
    alert: 'QueueMissing',
    expr: `(queue:info unless ${ON_QUEUE} queue:ready) ${BROKER_UP}`,
    for: '30s',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'Queue {{ $labels.queue }} is declared but not on the broker',
      description:
        'Jobs routed to it are returned to the outbox; a retry that needs it is parked among the dead.',
      remedy:
        'Restart the monolith (it asserts the topology); what the queue held is republished by the reconciler.',
    },
  },
  {
    alert: 'TopologyDrift',
    expr: DRIFT_EXPR,
    for: '1m',
    labels: { severity: 'warning' },
    annotations: {
      summary: 'Processes and rules disagree on {{ $labels.queue }}',
      description:
        'A process runs a declaration other than the one these rules were generated from; fill is wrong.',
      remedy:
        'Give all processes the same FIT_PROFILE, FIT_TIERS, FIT_MAX_LENGTH; generate the rules again.',
    },
  },
];

export const QUEUE_ALERTS: readonly AlertRule[] = [...FILL, ...CONSUMERS, ...DECLARATION];
