/** Rules on single queues: what each holds, how full it is and will be, whether it is consumed and as declared. */
import type { QueuePlan, TopologyPlan } from '@fit/topology';
import { maxByQueue, ON_QUEUE, ofRole } from './promql.ts';
import type { AlertRule, RecordingRule } from './rule.ts';
import type { Windows } from './windows.ts';

/**
 * The declaration as recording rules, since the broker exports depths but no limits (rabbitmq-server#9632). They are rules and
 * not metrics of the processes, so that the fill is known while all processes are down. A limit or time to live exists only
 * for queues that have one, so every expression about a role joins `queue:info`, which all queues have.
 */
export function declaredQueues(plan: TopologyPlan, vhost: string): RecordingRule[] {
  return plan.queues.flatMap((queue) => {
    const { name, role, tier, maxLength, ttlMs } = queue;
    const labels = { vhost, queue: name };
    return [
      {
        record: 'queue:info',
        expr: 'vector(1)',
        labels: { vhost, queue: name, role, tier: String(tier) },
      },
      ...constant('queue:max_length', maxLength, labels),
      ...constant('queue:ttl_seconds', ttlMs === undefined ? undefined : ttlMs / 1_000, labels),
      ...constant('queue:return_limit', returnLimit(queue, plan), labels),
    ];
  });
}

function constant(
  record: string,
  value: number | undefined,
  labels: Readonly<Record<string, string>>,
): RecordingRule[] {
  return value === undefined ? [] : [{ record, expr: `vector(${value})`, labels }];
}

/** A wait queue has no limit of its own: its messages meet the limit of the main queue when they return. */
function returnLimit({ role, kind }: QueuePlan, { queues }: TopologyPlan): number | undefined {
  if (role !== 'wait') return undefined;
  return queues.find((queue) => queue.role === 'main' && queue.kind === kind)?.maxLength;
}

/** Series of the broker's page `/metrics/detailed`, from its families queue_coarse_metrics and queue_metrics. */
const MESSAGES = 'rabbitmq_detailed_queue_messages';
const READY = 'rabbitmq_detailed_queue_messages_ready';
const UNACKED = 'rabbitmq_detailed_queue_messages_unacked';
const CONSUMERS = 'rabbitmq_detailed_queue_consumers';

/** Messages per second below which the forecast of a full queue is noise; `monolith/src/queues/trend.ts` has the same. */
const FILLING_PER_SECOND = 0.05;

/** In the order of evaluation: within one group each rule reads the results of those above it. */
export const queueRecords = ({ lookback }: Windows): readonly RecordingRule[] => [
  { record: 'queue:ready', expr: maxByQueue(READY) },
  { record: 'queue:unacked', expr: maxByQueue(UNACKED) },
  { record: 'queue:consumers', expr: maxByQueue(CONSUMERS) },
  // Every process reads the pause from the database, so one that answers is enough.
  { record: 'queue:paused', expr: maxByQueue('jobs_queue_paused') },
  {
    // Messages that are neither ready nor unacked: an at-least-once queue holds them until their next queue takes them.
    record: 'queue:awaiting_transfer',
    expr: maxByQueue(`${MESSAGES} - ${READY} - ${UNACKED}`),
  },
  {
    // What the limit counts. Unacked messages do not count, so a fill above 1 is possible.
    record: 'queue:counted',
    expr: 'queue:ready + queue:awaiting_transfer',
  },
  { record: 'queue:fill:ratio', expr: `queue:counted / ${ON_QUEUE} queue:max_length` },
  {
    record: 'queue:fill:time_to_full_seconds',
    expr:
      `clamp_min(queue:max_length - ${ON_QUEUE} queue:counted, 0)\n` +
      `  / ${ON_QUEUE} (deriv(queue:counted[${lookback.trend}]) > ${FILLING_PER_SECOND})`,
  },
  {
    // Little's law: what enters a retry tier each second stays for its time to live. So the depth is known minutes ahead.
    record: 'queue:wait_forecast:ratio',
    expr:
      `sum by (queue) (rate(jobs_retries_scheduled_total[${lookback.trend}]))\n` +
      '  * on (queue) group_right () queue:ttl_seconds\n' +
      `  / ${ON_QUEUE} queue:return_limit`,
  },
];

/**
 * Deeper than one scrape ago, and deeper ten seconds ago than twenty seconds ago. A batch that is published within five seconds
 * is a step and no trend: a line through it rises for a minute although the queue does not. This takes the place of a `for` and
 * costs a steady rise no time, since its forecast takes longer to appear.
 */
const IS_STILL_RISING =
  `and ${ON_QUEUE} queue:counted > ${ON_QUEUE} queue:counted offset 5s\n` +
  `  and ${ON_QUEUE} queue:counted offset 10s > ${ON_QUEUE} queue:counted offset 20s`;

/**
 * The relay fills a queue up to half of its limit and no further, so a rise below that which it causes is no trend. Some more
 * is allowed, because several relays may publish at once and retries return.
 */
const PACED_FILL = 0.6;
const isPaced = (lookback: string): string =>
  `unless ${ON_QUEUE} (queue:fill:ratio <= ${PACED_FILL}\n` +
  `    and on (queue) sum by (queue) (increase(jobs_published_total{outcome="confirmed"}[${lookback}])) > 0)`;

const NEAR_FULL = {
  alert: 'QueueNearFull',
  annotations: {
    summary: '{{ $labels.queue }} is {{ $value | humanizePercentage }} full',
    description:
      'A full queue refuses jobs: they stay in the outbox, late but not lost. Under FIT_PROFILE=assignment it dead-letters its oldest jobs.',
    remedy:
      'FIT itself fills half of the queue: find what publishes or returns the rest; add coaches.',
  },
} as const;

/**
 * The warning has no upper bound: a band from 0.7 to 0.9 would not fire while a queue runs through it. Its forecast was measured at
 * the webhook, at 1/s into 100 and 10/s into 1,000: 71 to 80 s before the queue was full. Below a tenth of the limit a trend
 * over few messages is noise.
 */
const nearFullAlerts = ({ lookback, keepFiring }: Windows): readonly AlertRule[] => [
  {
    ...NEAR_FULL,
    expr: [
      'queue:fill:ratio >= 0.7',
      `or queue:fill:ratio > 0.1 and ${ON_QUEUE} queue:fill:time_to_full_seconds < 600`,
      `  ${IS_STILL_RISING}`,
      `  ${isPaced(lookback.trend)}`,
    ].join('\n'),
    keep_firing_for: keepFiring,
    labels: { severity: 'warning' },
  },
  {
    ...NEAR_FULL,
    expr: 'queue:fill:ratio >= 0.9',
    keep_firing_for: keepFiring,
    labels: { severity: 'critical' },
  },
];

/** A broker that is down has an alert of its own; its queues are then unknown and not missing. */
const BROKER_IS_UP = 'and on () group(up{job="rabbitmq-queues"} == 1)';

/** Both extremes of each metric, since two processes may differ from the rules in different directions. */
const DRIFT = [
  `max by (vhost, queue) (jobs_queue_max_length) != ${ON_QUEUE} queue:max_length`,
  `or min by (vhost, queue) (jobs_queue_max_length) != ${ON_QUEUE} queue:max_length`,
  `or ${maxByQueue('jobs_queue_ttl_seconds')} != ${ON_QUEUE} queue:ttl_seconds`,
  `or min by (vhost, queue) (jobs_queue_ttl_seconds) != ${ON_QUEUE} queue:ttl_seconds`,
  // With role and tier: a queue that is the wait queue of another tier is as wrong as one that is not in the rules.
  `or ${maxByQueue('jobs_queue_info unless on (vhost, queue, role, tier) queue:info')}`,
  // What the broker enforces: a policy that was set by hand is visible only there.
  `or ${maxByQueue('jobs_queue_live_max_length')} != ${ON_QUEUE} queue:max_length`,
  // Wait queues have no consumers, so a consumer on one is a mistake: the messages that it takes reach no coach.
  `or ${ofRole('queue:consumers > 0', 'wait')}`,
].join('\n');

const driftAlerts = ({ hold }: Windows): readonly AlertRule[] => [
  {
    alert: 'TopologyDrift',
    expr: `(queue:info unless ${ON_QUEUE} queue:ready) ${BROKER_IS_UP}`,
    for: hold.short,
    labels: { severity: 'critical' },
    annotations: {
      summary: 'Queue {{ $labels.queue }} is declared but not on the broker',
      description:
        'Jobs for a missing main queue stay in the outbox; a retry for a missing wait queue is dead-lettered.',
      remedy:
        'npm run topology -- diff, then apply. The reconciler publishes again what the queue held.',
    },
  },
  {
    alert: 'TopologyDrift',
    expr: DRIFT,
    for: hold.medium,
    labels: { severity: 'warning' },
    annotations: {
      summary: 'Broker, processes and rules disagree on {{ $labels.queue }}',
      description:
        'A process runs another declaration than the rules, somebody changed a policy, or somebody consumes a wait queue. Fill and forecasts of this queue are wrong.',
      remedy:
        'npm run topology -- diff names the difference. Give all processes the same FIT_PROFILE, FIT_TIERS, FIT_MAX_LENGTH; generate the rules again.',
    },
  },
];

/** A pause is no fault of the coaches: QueuePaused reports it. */
const IS_NOT_PAUSED = `unless ${ON_QUEUE} queue:paused == 1`;

const deliveryAlerts = ({ lookback, hold }: Windows): readonly AlertRule[] => [
  {
    // Two minutes, since a short pause is no news. A pause without jobs delays nobody.
    alert: 'QueuePaused',
    expr: `queue:ready > 0 and ${ON_QUEUE} queue:paused == 1`,
    for: hold.long,
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $labels.queue }} is paused, and {{ $value | humanize }} jobs wait in it',
      description: 'An operator paused it. Its jobs come late; nothing is lost.',
      remedy:
        'GET /queues says who paused it, when and why; POST /queues/{{ $labels.queue }}/resume ends the pause.',
    },
  },
  {
    alert: 'NoConsumers',
    expr: `${ofRole('queue:consumers == 0', 'main')}\n  ${IS_NOT_PAUSED}`,
    for: hold.short,
    labels: { severity: 'critical' },
    annotations: {
      summary: 'No coach consumes {{ $labels.queue }}',
      description: 'Jobs are accepted and wait; none is done. Nothing is lost.',
      remedy:
        'Start a coach; if one runs, read its log: its circuit breaker opens while most attempts fail alike.',
    },
  },
  {
    // A warning only: the recorder may be off on purpose, and dead letters wait on the broker unharmed.
    alert: 'NoConsumers',
    expr: ofRole('queue:consumers == 0', 'dlq'),
    for: hold.short,
    labels: { severity: 'warning' },
    annotations: {
      summary: 'No process records the dead letters of {{ $labels.queue }}',
      description: 'Failed jobs are marked dead only when their dead letters are read.',
      remedy: 'Start the monolith; where DEAD_LETTER_RECORDER is off, set it to on.',
    },
  },
  {
    alert: 'QueueStalled',
    expr: [
      ofRole(`min_over_time(queue:ready[${lookback.recent}]) > 0`, 'main'),
      `  unless on (queue) sum by (queue) (increase(jobs_attempts_total[${lookback.recent}])) > 0`,
      `  ${IS_NOT_PAUSED}`,
    ].join('\n'),
    for: hold.medium,
    labels: { severity: 'critical' },
    annotations: {
      summary: '{{ $labels.queue }} has jobs, and no attempt ends',
      description: 'Handlers hang, or no result reaches the database. Nothing is lost.',
      remedy: 'Read the logs of the coaches; restart one that hangs.',
    },
  },
  {
    alert: 'QueueStalled',
    expr: `min_over_time(queue:awaiting_transfer[${lookback.transfer}]) > 0`,
    labels: { severity: 'warning' },
    annotations: {
      summary:
        '{{ $labels.queue }} holds {{ $value | humanize }} messages that their next queue does not take',
      description:
        'The next queue is full or missing. The messages are safe, count towards the limit, and the broker tries again every three minutes.',
      remedy: 'Drain the full queue, or restore the missing one: npm run topology -- diff.',
    },
  },
];

export const queueAlerts = (windows: Windows): readonly AlertRule[] => [
  ...nearFullAlerts(windows),
  ...driftAlerts(windows),
  ...deliveryAlerts(windows),
];
