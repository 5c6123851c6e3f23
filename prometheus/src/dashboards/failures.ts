/** What fails, what died of it, and whether anything was lost. */
import type { DashboardSpec, RowSpec } from './dashboardSpec.ts';

const CAUSES: RowSpec = {
  title: 'Causes',
  panels: [
    {
      kind: 'lines',
      title: 'Failed attempts per minute, by error',
      description:
        'One class above all others is a dependency; many alike are the jobs themselves.',
      unit: 'cpm',
      queries: [
        {
          expr: '60 * sum by (type, error_class) (rate(jobs_failures_total[$__rate_interval]))',
          legend: '{{type}} {{error_class}}',
        },
      ],
      width: 12,
      runbooks: ['RetryStorm'],
    },
    {
      kind: 'lines',
      title: 'Deaths per minute, by reason',
      description:
        'exhausted: all attempts failed. fatal: no retry mends it. The rest should be flat.',
      unit: 'cpm',
      queries: [
        {
          expr: '60 * sum by (type, reason) (rate(jobs_dead_lettered_total[$__rate_interval]))',
          legend: '{{type}} {{reason}}',
        },
      ],
      width: 12,
      runbooks: ['DeadLetters'],
    },
    {
      kind: 'lines',
      title: 'Share of jobs that died',
      description: 'In four windows; the objective is 1 %. Alerts ask for two windows at once.',
      unit: 'percentunit',
      queries: ['5m', '30m', '1h', '6h'].map((window) => ({
        expr: `job:dead:ratio_rate${window}`,
        legend: window,
      })),
      bounds: { warning: 0.06, critical: 0.144 },
      max: 1,
      runbooks: ['JobSuccessBurn'],
    },
    {
      kind: 'lines',
      title: 'Dead jobs',
      description: 'Kept until they are replayed.',
      unit: 'short',
      queries: [{ expr: 'max(jobs_by_state{state="dead"})', legend: 'dead' }],
      runbooks: ['DeadLetters'],
    },
    {
      kind: 'lines',
      title: 'Letters on the broker',
      description:
        'Not yet read into the records. Above 0 for long: the dead-letter recorder is off or the monolith is down.',
      unit: 'short',
      queries: [
        {
          expr: 'queue:ready and on (vhost, queue) queue:info{role="dlq"}',
          legend: '{{queue}}',
        },
      ],
      runbooks: ['NoConsumers', 'DeadLetters'],
    },
  ],
};

const LOSSES: RowSpec = {
  title: 'Losses',
  panels: [
    {
      kind: 'lines',
      title: 'Records minus broker',
      description:
        'Jobs under way without a message. A few either way under load, since the two sides are read seconds apart.',
      unit: 'short',
      queries: [{ expr: 'job:unaccounted', legend: 'unaccounted' }],
      min: null,
      runbooks: ['JobsUnaccounted'],
    },
    {
      kind: 'lines',
      title: 'Destroyed by the broker',
      description:
        'In ten minutes: dropped, expired or rejected without a dead-letter exchange. 0, always.',
      unit: 'short',
      queries: [{ expr: 'sum(broker:destroyed:increase10m)', legend: 'destroyed' }],
      runbooks: ['MessagesDestroyed'],
    },
    {
      kind: 'lines',
      title: 'Dropped by a full queue',
      description:
        'In ten minutes, into the dead-letter queue. Only the profile assignment declares that.',
      unit: 'short',
      queries: [
        {
          expr: 'sum(increase(rabbitmq_global_messages_dead_lettered_maxlen_total{dead_letter_strategy!="disabled"}[10m]))',
          legend: 'overflowed',
        },
      ],
      runbooks: ['QueueOverflowed'],
    },
    {
      kind: 'lines',
      title: 'Redelivered',
      description:
        'Deliveries of messages that were delivered before: a coach ended, or its connection did.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum by (queue) (rate(jobs_redelivered_total[$__rate_interval]))',
          legend: '{{queue}}',
        },
      ],
      runbooks: ['AmqpUnstable', 'JobStuck'],
    },
    {
      kind: 'lines',
      title: 'Strange messages',
      description:
        'No job at all, or an attempt number that the broker does not confirm: a foreign publisher.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum by (queue) (rate(jobs_refused_total[$__rate_interval]))',
          legend: 'no job, {{queue}}',
        },
        {
          expr: 'sum by (queue) (rate(jobs_attempt_mismatch_total[$__rate_interval]))',
          legend: 'attempt forged, {{queue}}',
        },
      ],
      runbooks: ['DeadLetters'],
    },
    {
      kind: 'lines',
      title: 'Database away, or refusing',
      description:
        'Times that a stage had to wait for it, in the time that is shown, without spending attempts; and writes that it refused.',
      unit: 'short',
      queries: [
        {
          expr: 'sum by (job, stage) (increase(jobs_store_outages_total[$__range]))',
          legend: '{{job}} {{stage}}',
        },
        {
          expr: 'sum by (job, stage) (increase(jobs_stage_failures_total[$__range]))',
          legend: 'refused, {{job}} {{stage}}',
        },
      ],
      runbooks: ['StoreDown'],
    },
  ],
};

export const FAILURES: DashboardSpec = {
  uid: 'fit-failures',
  title: 'FIT 5 Failures',
  description: 'What fails, what died of it, whether anything was lost.',
  variables: [],
  rows: [CAUSES, LOSSES],
};
