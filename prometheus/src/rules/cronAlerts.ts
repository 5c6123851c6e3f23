/** Alerts on the daily run. Only a cron that stays tells of it; where another scheduler calls, they are quiet. */
import type { AlertRule } from './rule.ts';

/**
 * By when the daily run must have ended. Cron tells the monolith after each run, from its schedule and CRON_WAIT_MS, and the
 * monolith keeps it: the alert does not end with what cron exported. An hour bridges a monolith that is away, which TargetDown
 * tells meanwhile; a longer outage cannot end the alert for good, since the time is in the database.
 */
const DUE_BY = 'max(last_over_time(daily_run_due_timestamp_seconds[1h]) > 0)';

const runs = (outcome: string): string =>
  `sum by (outcome) (increase(cron_runs_total{outcome="${outcome}"}[1h])) > 0`;

export const CRON_ALERTS: readonly AlertRule[] = [
  {
    alert: 'CronRunFailed',
    expr: runs('failed'),
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The daily run failed: it was not accepted, or did not end in time',
      description: 'Some or all members have no workout today.',
      remedy:
        'See what is missing at GET /runs, mend it; then restart cron, which asks for the slot again.',
    },
  },
  {
    // One dead job of ten thousand is enough, so nobody is woken for it: how many may die is JobSuccessBurn's to judge.
    alert: 'CronRunFailed',
    expr: runs('incomplete'),
    labels: { severity: 'warning' },
    annotations: {
      summary: 'The daily run ended, and some of its jobs are dead',
      description: 'Their members have no workout today. The jobs are kept and can be replayed.',
      remedy: 'See the causes at GET /runs, mend them, npm run replay.',
    },
  },
  {
    alert: 'CronOverdue',
    expr: `time() - ${DUE_BY} > 0`,
    for: '1m',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The daily run should have ended {{ $value | humanizeDuration }} ago',
      description: 'Cron is gone, or its run did not bring all of its jobs to an end in time.',
      remedy:
        'Restart cron: it asks for the slot that it missed, and the alert ends with that run. Then read its log.',
    },
  },
];
