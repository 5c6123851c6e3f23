/** Alerts on what became of jobs. The windows outlast the event, so that one event is seen and then recovers. */
import { moreThan } from './promql.ts';
import type { AlertRule, Severity } from './rule.ts';

/** How fast a month's budget of one job in a hundred burns, over a long window and, to end soon, a short one. */
interface Burn {
  readonly severity: Severity;
  readonly long: string;
  readonly short: string;
  /** Share of bad jobs: 0.01 times the burn rate. */
  readonly bound: number;
  /** With fewer jobs the share is noise. */
  readonly leastCount: number;
}

const DEAD_BURNS: readonly Burn[] = [
  { severity: 'critical', long: '1h', short: '5m', bound: 0.144, leastCount: 20 },
  { severity: 'warning', long: '6h', short: '30m', bound: 0.06, leastCount: 50 },
  { severity: 'warning', long: '1d', short: '2h', bound: 0.03, leastCount: 100 },
  { severity: 'warning', long: '3d', short: '6h', bound: 0.01, leastCount: 200 },
];

const burnOf = ({ severity, long, short, bound, leastCount }: Burn): AlertRule => ({
  alert: 'JobSuccessBurn',
  expr: [
    `job:dead:ratio_rate${long} > ${bound} and job:dead:ratio_rate${short} > ${bound}`,
    `  ${moreThan(leastCount, 'jobs_finished_total', long)}`,
  ].join('\n'),
  labels: { severity, slo: 'success', window: long },
  annotations: {
    summary: '{{ $value | humanizePercentage }} of the jobs of the last {{ $labels.window }} died',
    description: 'One in a hundred may. Dead jobs are kept and can be replayed.',
    remedy: 'Mend the most frequent cause, then replay it.',
  },
});

export const JOB_ALERTS: readonly AlertRule[] = [
  {
    alert: 'DeadLetters',
    expr: 'sum by (type, reason) (increase(jobs_dead_lettered_total[15m])) > 0',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $labels.type }} jobs died: {{ $labels.reason }}',
      description:
        '{{ $value | humanize }} in the last 15 minutes. They are kept and can be replayed.',
      remedy:
        'npm run replay -- --dry-run groups the dead by cause: mend the largest, then npm run replay.',
    },
  },
  ...DEAD_BURNS.map(burnOf),
  {
    alert: 'JobLatencyBurn',
    expr: [
      'job:slow:ratio_rate1h > 0.144 and job:slow:ratio_rate5m > 0.144',
      `  ${moreThan(20, 'jobs_finished_total', '1h')}`,
    ].join('\n'),
    labels: { severity: 'critical', slo: 'latency', window: '1h' },
    annotations: {
      summary: '{{ $value | humanizePercentage }} of the jobs took over a minute',
      description: 'From the request to the stored workout; one in a hundred may.',
      remedy: 'Find the slow stage: wait in the queue, retries, or the handler itself.',
    },
  },
  {
    alert: 'QueueWaitHigh',
    expr: 'histogram_quantile(0.95, sum by (le, queue) (rate(jobs_queue_wait_seconds_bucket[5m]))) > 10',
    for: '1m',
    labels: { severity: 'warning' },
    annotations: {
      summary: 'A job in {{ $labels.queue }} waits {{ $value | humanizeDuration }} for a coach',
      description: 'One in twenty waits longer than that.',
      remedy: 'Add coaches, or look for what slows them.',
    },
  },
  {
    alert: 'RetryStorm',
    expr: [
      'sum(rate(jobs_attempts_total{outcome="retry"}[5m])) / sum(rate(jobs_attempts_total[5m])) > 0.5',
      `  ${moreThan(20, 'jobs_attempts_total', '5m')}`,
    ].join('\n'),
    for: '1m',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $value | humanizePercentage }} of the attempts fail and are tried again',
      description: 'Jobs come late, and die once their attempts are spent.',
      remedy: 'Mend what they depend on; the error class names it.',
    },
  },
];
