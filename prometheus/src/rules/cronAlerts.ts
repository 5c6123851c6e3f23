/** Alerts on the daily run. Only a cron that stays exports these; where another scheduler calls, they are quiet. */
import type { AlertRule } from './rule.ts';

/**
 * The oldest slot that was still to come within the last day, thus the last one of a daily schedule; of a schedule with
 * more slots an older one, which is milder and never wrong. Looked back for, since a cron that died tells nothing any more.
 */
const LAST_SLOT = 'min(min_over_time(cron_next_run_timestamp_seconds[1d]) > 0)';

/** A run may take an hour (CRON_WAIT_MS); and after a restart the slot is asked for again, which succeeds at once. */
const GRACE_SECONDS = 3_900;

export const CRON_ALERTS: readonly AlertRule[] = [
  {
    alert: 'CronRunFailed',
    expr: 'sum by (outcome) (increase(cron_runs_total{outcome!="complete"}[1h])) > 0',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The daily run ended {{ $labels.outcome }}',
      description: 'Some members have no workout today.',
      remedy:
        'See what is missing at GET /runs, mend it, npm run replay; then restart cron, which asks for the slot again.',
    },
  },
  {
    // Not how long ago the next slot should have fired: that figure moves on when it fires, whatever becomes of the run, and
    // is gone with the process.
    alert: 'CronOverdue',
    expr:
      `time() - ${LAST_SLOT} > ${GRACE_SECONDS}\n` +
      `  and max(max_over_time(cron_last_success_timestamp_seconds[1d])) < ${LAST_SLOT}`,
    for: '1m',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The daily run is {{ $value | humanizeDuration }} late',
      description: 'No run has ended with every workout since its planned time.',
      remedy: 'Restart cron: it asks for the slot that it missed. Then read its log.',
    },
  },
];
