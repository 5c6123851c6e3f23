/** Rules on jobs: are they published, done in time, failing, lost, and did the daily run end. */
import { moreThan, ofRole, RECORDS_ARE_FRESH } from './promql.ts';
import type { AlertRule, RecordingRule } from './rule.ts';
import type { Windows } from './windows.ts';

/**
 * The time by which the daily run must have ended. Cron reports it to the monolith after each run, and the monolith keeps it in
 * the database, so the alert does not end when cron's metrics do. The range bridges a monolith that is away, which TargetDown
 * reports meanwhile.
 */
const dueBy = (hour: string): string =>
  `max(last_over_time(daily_run_due_timestamp_seconds[${hour}]) > 0)`;

/** The names of recordings state the window of production. */
export const jobRecords = ({ lookback }: Windows): readonly RecordingRule[] => [
  {
    // Every replica exports the same counts, hence max. A few messages are in transit on both sides; the alert allows for them.
    record: 'job:unaccounted',
    expr: [
      'sum(max by (state) (jobs_by_state{state=~"queued|running|waiting"}))',
      `- on () (sum(${ofRole('queue:ready', 'main')} or ${ofRole('queue:ready', 'wait')})`,
      '  + sum(queue:unacked) + sum(queue:awaiting_transfer))',
    ].join('\n'),
  },
  {
    record: 'job:backlog:seconds',
    expr: [
      `(sum(${ofRole('queue:ready', 'main')}) + on () (max(jobs_outbox_pending) or vector(0)))`,
      `  / on () sum(rate(jobs_finished_total[${lookback.recent}]))`,
    ].join('\n'),
  },
  deadRatio('5m', lookback.recent),
  deadRatio('1h', lookback.hour),
];

function deadRatio(name: string, lookback: string): RecordingRule {
  return {
    record: `job:dead:ratio_rate${name}`,
    // If no job ended, the quotient is 0/0: `>= 0` drops it and the share is 0.
    expr: `(sum(rate(jobs_finished_total{outcome="dead"}[${lookback}]))\n  / sum(rate(jobs_finished_total[${lookback}]))) >= 0 or vector(0)`,
  };
}

const progressAlerts = ({
  lookback,
  hold,
  outboxAgeSeconds,
  backlogSeconds,
}: Windows): readonly AlertRule[] => [
  {
    // An old outbox alone is not a fault: a large run waits there while the queue holds as much as the relay puts into it. If
    // that queue is not consumed, other alerts fire.
    alert: 'OutboxStalled',
    expr: [
      `max(jobs_outbox_oldest_age_seconds) > ${outboxAgeSeconds}`,
      `  unless on () sum(increase(jobs_published_total{job="monolith",outcome="confirmed"}[${lookback.publishing}])) > 0`,
      `  unless on () sum(${ofRole('queue:ready', 'main')}) > 0`,
      `  ${RECORDS_ARE_FRESH}`,
    ].join('\n'),
    for: hold.medium,
    labels: { severity: 'critical' },
    annotations: {
      summary: 'Jobs have waited {{ $value | humanizeDuration }}, and none is published',
      description: 'The broker refuses them, or the relay stands still. Late, not lost.',
      remedy:
        'npm run topology -- diff shows a missing binding; the monolith’s log says what the broker answers.',
    },
  },
  {
    // Judged by the time that the work still needs and not by its age. Where a daily run is expected, its deadline says whether
    // that is too long, so that a healthy run of any size is silent.
    alert: 'BacklogTooLong',
    expr: [
      `job:backlog:seconds > ${backlogSeconds}`,
      `  unless on () ${dueBy(lookback.hour)} - time() > on () job:backlog:seconds`,
    ].join('\n'),
    for: hold.longest,
    labels: { severity: 'warning' },
    annotations: {
      summary: 'The jobs that wait need {{ $value | humanizeDuration }} at the present pace',
      description: 'The daily run may not end by its deadline.',
      remedy: 'Add coaches, or find what slows them.',
    },
  },
];

/** Job records and broker are counted up to 10 s apart: at 500 jobs a second that alone is a difference of 5,000. */
const unaccountedBound = (trend: string): string =>
  `(20 + 10 * (sum(rate(jobs_attempts_total[${trend}])) or vector(0)))`;

const failureAlerts = ({ lookback, hold }: Windows): readonly AlertRule[] => [
  {
    alert: 'RetryStorm',
    expr: [
      `sum(rate(jobs_attempts_total{outcome="retry"}[${lookback.recent}])) / sum(rate(jobs_attempts_total[${lookback.recent}])) > 0.5`,
      `  ${moreThan(20, 'jobs_attempts_total', lookback.recent)}`,
    ].join('\n'),
    for: hold.medium,
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $value | humanizePercentage }} of the attempts fail and are tried again',
      description: 'Jobs come late, fill the wait queues, and die once their attempts are used up.',
      remedy: 'Repair the dependency that the error class names; pause runs until then.',
    },
  },
  {
    alert: 'DeadLetters',
    expr: `sum by (kind, cause) (increase(jobs_dead_lettered_total[${lookback.deadLetters}])) > 0`,
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $labels.kind }} jobs died: {{ $labels.cause }}',
      description:
        '{{ $value | humanize }} in the last 15 minutes. They are kept and can be replayed.',
      remedy:
        'npm run replay -- --dry-run groups dead jobs by cause: repair the largest cause, then npm run replay.',
    },
  },
  {
    // One in a hundred may die. 14.4 % uses up that allowance of a month in two days (multi-window burn rate of the SRE workbook).
    alert: 'JobFailuresHigh',
    expr: [
      'job:dead:ratio_rate1h > 0.144 and job:dead:ratio_rate5m > 0.144',
      `  ${moreThan(20, 'jobs_finished_total', lookback.hour)}`,
    ].join('\n'),
    labels: { severity: 'critical' },
    annotations: {
      summary: '{{ $value | humanizePercentage }} of the jobs of the last hour died',
      description: 'One in a hundred may. Dead jobs are kept and can be replayed.',
      remedy: 'Stop the coaches, repair the most frequent cause, then replay.',
    },
  },
  {
    alert: 'JobsUnaccounted',
    expr: `job:unaccounted > on () ${unaccountedBound(lookback.trend)}\n  ${RECORDS_ARE_FRESH}`,
    for: hold.long,
    labels: { severity: 'critical' },
    annotations: {
      summary: '{{ $value | humanize }} jobs are recorded as under way, and no queue holds them',
      description:
        'Messages were lost on the broker. The reconciler publishes the jobs again, late.',
      remedy: 'Find the queue that lost them: npm run topology -- diff.',
    },
  },
];

const cronAlerts = ({ lookback, hold }: Windows): readonly AlertRule[] => [
  {
    alert: 'CronRunFailed',
    expr: `sum by (outcome) (increase(cron_runs_total{outcome="failed"}[${lookback.hour}])) > 0`,
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The daily run failed: it was not accepted, or did not end in time',
      description: 'Some or all users have no workout today.',
      remedy:
        'See what is missing at GET /runs and repair it; then restart cron, which requests the slot again.',
    },
  },
  {
    alert: 'CronOverdue',
    expr: `time() - ${dueBy(lookback.hour)} > 0`,
    for: hold.medium,
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The daily run should have ended {{ $value | humanizeDuration }} ago',
      description: 'Cron is gone, or its run did not bring all of its jobs to an end in time.',
      remedy:
        'Restart cron: it requests the slot that it missed, and the alert ends with that run. Then read its log.',
    },
  },
];

export const jobAlerts = (windows: Windows): readonly AlertRule[] => [
  ...progressAlerts(windows),
  ...failureAlerts(windows),
  ...cronAlerts(windows),
];
