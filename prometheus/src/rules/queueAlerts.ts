/** Alerts on the state of a queue: how full, how full it will be, whether it is as declared. */
import { maxByQueue, ON_QUEUE } from './promql.ts';
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

/**
 * Deeper than one scrape ago, and deeper ten seconds ago than twenty seconds ago. A batch that is published within five seconds
 * is a step, not a trend: the line through it rises for a minute, the queue does not. This takes the place of a `for` and costs
 * a steady rise no time, since its forecast takes longer to see.
 */
const IS_STILL_RISING =
  `and ${ON_QUEUE} queue:counted > ${ON_QUEUE} queue:counted offset 5s\n` +
  `  and ${ON_QUEUE} queue:counted offset 10s > ${ON_QUEUE} queue:counted offset 20s`;

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
    // Measured at the webhook, at 1/s into 100 and 10/s into 1,000: with 300 s, a fifth and `for: 10s` the warning came 55 s
    // before the queue was full; so, 71 to 80 s. The gauges are up to 10 s old, and a trend over a minute sees only half of
    // a rise that is 20 s old. Below a tenth a trend over few messages is noise.
    alert: 'QueueFillingUp',
    expr: [
      `queue:fill:time_to_full_seconds < 600 and ${ON_QUEUE} queue:fill:ratio > 0.1`,
      `  ${IS_STILL_RISING}`,
    ].join('\n'),
    // A noisy rise pauses between two scrapes.
    keep_firing_for: '30s',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $labels.queue }} will be full in {{ $value | humanizeDuration }}',
      description:
        'Jobs arrive faster than the coaches finish them, by the trend of the last minute.',
      remedy: 'Add coaches, or look for what slows them.',
    },
  },
  {
    alert: 'WaitTierWillOverflow',
    expr: 'queue:wait_forecast:ratio > 0.8',
    for: '15s',
    labels: { severity: 'warning' },
    annotations: {
      summary:
        'What enters {{ $labels.queue }} now will be {{ $value | humanizePercentage }} of its main queue’s limit',
      description:
        'When that wave comes back the main queue is full, and new jobs stay in the outbox.',
      remedy: 'Mend what fails, or pause runs of that kind.',
    },
  },
];

/** The broker that is down has an alert of its own; then its queues are unknown, not missing. */
const BROKER_UP = 'and on () group(up{job="rabbitmq-queues"} == 1)';

/** Both extremes, since two processes may differ from the rules in different directions. */
const DRIFT_EXPR = [
  `max by (vhost, queue) (jobs_queue_max_length) != ${ON_QUEUE} queue:max_length`,
  `or min by (vhost, queue) (jobs_queue_max_length) != ${ON_QUEUE} queue:max_length`,
  `or ${maxByQueue('jobs_queue_ttl_seconds')} != ${ON_QUEUE} queue:ttl_seconds`,
  `or min by (vhost, queue) (jobs_queue_ttl_seconds) != ${ON_QUEUE} queue:ttl_seconds`,
  // With role and tier: a queue that is another one's tier is as wrong as one that the rules do not know.
  `or ${maxByQueue('jobs_queue_info unless on (vhost, queue, role, tier) queue:info')}`,
  // What the broker enforces: a policy of somebody else, by hand, is seen nowhere but there.
  `or ${maxByQueue('jobs_queue_live_max_length')} != ${ON_QUEUE} queue:max_length`,
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
    alert: 'QueueUndeclared',
    expr: `queue:ready unless ${ON_QUEUE} queue:info`,
    for: '5m',
    labels: { severity: 'info' },
    annotations: {
      summary: 'Nobody declared {{ $labels.queue }}',
      description: 'Another system’s, or left over from other tiers. No alert watches it.',
      remedy: 'Declare it, drain it (npm run topology -- drain), or delete it.',
    },
  },
  {
    alert: 'TopologyDrift',
    expr: DRIFT_EXPR,
    for: '1m',
    labels: { severity: 'warning' },
    annotations: {
      summary: 'Rules, processes and broker disagree on {{ $labels.queue }}',
      description:
        'A process runs another declaration than these rules were generated from, or a policy on the broker was changed: the fill shown is wrong.',
      remedy:
        'npm run topology -- diff. Give all processes the same FIT_PROFILE, FIT_TIERS, FIT_MAX_LENGTH; generate the rules again.',
    },
  },
];

export const QUEUE_ALERTS: readonly AlertRule[] = [...FILL, ...DECLARATION];
