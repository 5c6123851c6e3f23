/** Alerts on the daily run. Only a cron that stays exports these; where another scheduler calls, they are quiet. */
import type { AlertRule } from './rule.ts';

export const CRON_ALERTS: readonly AlertRule[] = [
  {
    alert: 'CronRunFailed',
    expr: 'sum by (outcome) (increase(cron_runs_total{outcome!="complete"}[1h])) > 0',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The daily run ended {{ $labels.outcome }}',
      description: 'Some members have no workout today.',
      remedy: 'See what is missing at GET /runs, mend it, npm run replay, npm run cron -- --once.',
    },
  },
  {
    // The next slot is in the past: it fired, and no run came of it within its time.
    alert: 'CronOverdue',
    expr: 'time() - max(cron_next_run_timestamp_seconds) > 600',
    for: '1m',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The daily run is {{ $value | humanizeDuration }} late',
      description: 'Its slot has passed and no run was started.',
      remedy: 'npm run cron -- --once now; then read the log of cron.',
    },
  },
];
