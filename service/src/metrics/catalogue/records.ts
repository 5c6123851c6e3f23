/** Metrics of the records and of the background tasks that maintain them: relay, reconciler, replay. */
import type { MetricDefinition } from '../definition.ts';
import { TYPE } from './labels.ts';

const LIVE = ['pending', 'queued', 'running', 'waiting'] as const;

export const RECORD_METRICS = {
  jobs_by_state: {
    kind: 'gauge',
    help: 'Job records by state, as of jobs_records_age_seconds ago; done is what the store estimates to be left; replicas export equal figures',
    exportedBy: ['monolith'],
    labels: { state: [...LIVE, 'done', 'dead', 'cancelled'] },
  },
  jobs_oldest_age_seconds: {
    kind: 'gauge',
    help: 'Age of the oldest job of a state since it became eligible; a wait that has not ended counts as 0',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: { state: LIVE },
  },
  jobs_outbox_pending: {
    kind: 'gauge',
    help: 'Jobs that the broker does not have yet',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_outbox_oldest_age_seconds: {
    kind: 'gauge',
    help: 'Age of the oldest of them',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_records_age_seconds: {
    kind: 'gauge',
    help: 'Age of the four figures above: above 30 the store does not answer and they are history',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_records_refresh_failures_total: {
    kind: 'counter',
    help: 'Refreshes of these figures that failed or were not answered in time',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_relay_last_timestamp_seconds: {
    kind: 'gauge',
    help: 'When the relay last ended a round well; 0 where another replica relays',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_reconcile_last_timestamp_seconds: {
    kind: 'gauge',
    help: 'When the reconciler last ended a round well; 0 where another replica reconciles',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: {},
  },
  daily_run_due_timestamp_seconds: {
    kind: 'gauge',
    help: 'By when the next daily run must have ended, as cron said after the last one; 0 where none is expected. Kept in the database',
    unit: 'seconds',
    exportedBy: ['monolith'],
    labels: {},
    appearsWhen:
      'once the database was asked: a 0 of a monolith that has just started would end an alert',
  },
  jobs_reconciled_total: {
    kind: 'counter',
    help: 'Jobs that the broker had lost, made pending again',
    exportedBy: ['monolith'],
    labels: {},
  },
  jobs_replayed_total: {
    kind: 'counter',
    help: 'Replayed jobs that were handed to the broker again',
    exportedBy: ['monolith'],
    labels: { type: TYPE },
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;
