/** Alerts on the daily run. Only a cron that stays exports these; where another scheduler calls, they are quiet. */
import type { AlertRule } from './rule.ts';

/**
 * The oldest slot that was still to come within the last day, thus the last one of a daily schedule; of a schedule with
 * more slots an older one, which is milder and never wrong. Looked back for, since a cron that died tells nothing any more.
 */
const LAST_SLOT = 'min(min_over_time(cron_next_run_timestamp_seconds[1d]) > 0)';

/** A run may take an hour (CRON_WAIT_MS); and after a restart the slot is asked for again, which succeeds at once. */
const GRACE_SECONDS = 3_900;

/** What a cron that is gone said last: between its run and its next slot nothing of yesterday's is open, so only this tells it. */
const LAST_SAID_SLOT = 'max(last_over_time(cron_next_run_timestamp_seconds[3d]) > 0)';

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
    // Not how long ago the next slot should have fired: that figure moves on when it fires, whatever becomes of the run.
    alert: 'CronOverdue',
    expr:
      `time() - ${LAST_SLOT} > ${GRACE_SECONDS}\n` +
      `  and max(max_over_time(cron_last_completion_timestamp_seconds[1d])) < ${LAST_SLOT}\n` +
      `or time() - ${LAST_SAID_SLOT} > ${GRACE_SECONDS}`,
    for: '1m',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The daily run is {{ $value | humanizeDuration }} late',
      description: 'Since its planned time no run has brought all of its jobs to an end.',
      remedy: 'Restart cron: it asks for the slot that it missed. Then read its log.',
    },
  },
];
