/** Metrics of the daily trigger. */
import type { MetricDefinition } from '../definition.ts';

export const CRON_METRICS = {
  cron_runs_total: {
    kind: 'counter',
    help: 'Slots that ended; complete: every workout exists, incomplete: some do not, failed: not accepted, or no end within CRON_WAIT_MS',
    exportedBy: ['cron'],
    labels: { outcome: ['complete', 'incomplete', 'failed'] },
  },
  cron_run_duration_seconds: {
    kind: 'histogram',
    help: 'From firing to the end of the run',
    unit: 'seconds',
    exportedBy: ['cron'],
    labels: {},
    buckets: [1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600],
  },
  cron_last_success_timestamp_seconds: {
    kind: 'gauge',
    help: 'When a run last ended complete; 0 before the first of this process',
    unit: 'seconds',
    exportedBy: ['cron'],
    labels: {},
  },
  cron_next_run_timestamp_seconds: {
    kind: 'gauge',
    help: 'When the schedule fires next',
    unit: 'seconds',
    exportedBy: ['cron'],
    labels: {},
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;
