/** The first dashboard: does every user have a workout, and if not, why. */
import type { DashboardSpec, RowSpec } from './dashboardSpec.ts';

/** The share of jobs that may die. */
const ALLOWED_FAILURES = '0.01';

const FIRING: RowSpec = {
  title: 'Must somebody act now?',
  panels: [
    {
      kind: 'number',
      title: 'Alerts firing',
      description:
        'Warnings and critical alerts; the list beside it names them. Empty if Prometheus evaluates no rules at all.',
      unit: 'short',
      queries: [
        {
          // The Watchdog gives the 0, since it always fires: without rules no alert can fire.
          expr:
            'count(ALERTS{alertstate="firing",severity=~"warning|critical"})\n' +
            '  or 0 * max(ALERTS{alertname="Watchdog",alertstate="firing"})',
          legend: 'firing',
        },
      ],
      bounds: { warning: 1, critical: 3 },
    },
    {
      kind: 'table',
      title: 'Firing alerts',
      description:
        'One line for each; the name links to its runbook. The Watchdog always fires and proves that alerting works.',
      unit: 'short',
      queries: [{ expr: 'ALERTS{alertstate="firing"}', legend: '{{alertname}}' }],
      width: 12,
      runbooks: ['Watchdog'],
    },
    {
      kind: 'number',
      title: 'Processes up',
      description: '1 is up; 0 is down: at least one instance does not answer.',
      unit: 'short',
      queries: [{ expr: 'min by (job) (up)', legend: '{{job}}' }],
      bounds: { warning: 1, critical: 0.5 },
      width: 8,
      runbooks: ['TargetDown'],
    },
  ],
};

const SERVED: RowSpec = {
  title: 'Is every user served?',
  panels: [
    {
      kind: 'number',
      title: 'Jobs done per minute',
      description: 'Workouts made and stored. 0 is normal while no run is under way.',
      unit: 'cpm',
      queries: [
        {
          expr: '60 * sum(rate(jobs_finished_total{outcome="success"}[$__rate_interval]))',
          legend: 'done',
        },
      ],
    },
    {
      kind: 'number',
      title: 'Success, last hour',
      description:
        'Share of jobs that ended well; a retry that succeeds counts as good. The objective is 99 %. Empty if no job ended.',
      unit: 'percentunit',
      queries: [
        {
          // The recorded share is 0 if no job ended: right for an alert, but absent coaches are no success.
          expr: '1 - job:dead:ratio_rate1h\n  and on () sum(rate(jobs_finished_total[1h])) > 0',
          legend: 'success',
        },
      ],
      bounds: { warning: 0.99, critical: 0.95 },
      max: 1,
      runbooks: ['JobFailuresHigh'],
    },
    {
      kind: 'number',
      title: 'Allowed failures left',
      description:
        'Of the 1 % of jobs that may die, over the time shown: 100 % is untouched, below 0 is overspent.',
      unit: 'percentunit',
      queries: [
        {
          expr:
            '1 - (sum(increase(jobs_finished_total{outcome="dead"}[$__range]))\n' +
            // If no job ended, the quotient is 0/0, which the comparison drops.
            `  / sum(increase(jobs_finished_total[$__range])) >= 0) / ${ALLOWED_FAILURES}`,
          legend: 'left',
        },
      ],
      bounds: { warning: 0.25, critical: 0 },
      min: null,
      runbooks: ['JobFailuresHigh'],
    },
    {
      kind: 'number',
      title: 'Time the backlog needs',
      description: 'Jobs that wait, divided by the jobs that end each second. Empty if none ends.',
      unit: 's',
      queries: [{ expr: 'job:backlog:seconds < Inf', legend: 'needed' }],
      bounds: { warning: 1_800, critical: 3_600 },
      runbooks: ['BacklogTooLong'],
    },
    {
      kind: 'number',
      title: 'Fullest queue',
      description: 'Share of its limit. A full queue refuses jobs; they then wait in the outbox.',
      unit: 'percentunit',
      queries: [{ expr: 'max(queue:fill:ratio)', legend: 'full' }],
      bounds: { warning: 0.7, critical: 0.9 },
      runbooks: ['QueueNearFull'],
    },
    {
      kind: 'number',
      title: 'Oldest job under way',
      description:
        'Since it could have started. Jobs that wait between two attempts are not counted.',
      unit: 's',
      queries: [{ expr: 'max(jobs_oldest_age_seconds)', legend: 'oldest' }],
      bounds: { warning: 60, critical: 300 },
      runbooks: ['QueueStalled', 'OutboxStalled'],
    },
    {
      kind: 'lines',
      title: 'Jobs by state',
      description:
        'pending: not published yet. waiting jobs are retries; dead jobs need a replay; done is an estimate.',
      unit: 'short',
      queries: [{ expr: 'max by (state) (jobs_by_state)', legend: '{{state}}' }],
      runbooks: ['DeadLetters'],
    },
    {
      kind: 'lines',
      title: 'Jobs ended per minute',
      description: 'Each job once, when it is done or dead.',
      unit: 'cpm',
      queries: [
        {
          expr: '60 * sum by (outcome) (rate(jobs_finished_total[$__rate_interval]))',
          legend: '{{outcome}}',
        },
      ],
      runbooks: ['JobFailuresHigh'],
    },
    {
      kind: 'lines',
      title: 'Oldest job by state',
      description:
        'Age since the job could have started. A line that only rises is a job that is not processed.',
      unit: 's',
      queries: [{ expr: 'max by (state) (jobs_oldest_age_seconds)', legend: '{{state}}' }],
      runbooks: ['QueueStalled'],
    },
  ],
};

const DAILY_RUN: RowSpec = {
  title: 'Did the daily run end?',
  panels: [
    {
      kind: 'lines',
      title: 'Daily run',
      description:
        'Time until the next run fires, until it must have ended, and since the last complete one. The first and the last are empty natively, where cron is not scraped.',
      unit: 's',
      queries: [
        { expr: 'max(cron_next_run_timestamp_seconds) - time()', legend: 'until the next' },
        {
          expr: '(max(daily_run_due_timestamp_seconds) > 0) - time()',
          legend: 'until it must have ended',
        },
        {
          expr: 'time() - (max(cron_last_success_timestamp_seconds) > 0)',
          legend: 'since the last complete one',
        },
      ],
      min: null,
      width: 12,
      runbooks: ['CronOverdue'],
    },
    {
      kind: 'lines',
      title: 'Runs since cron started',
      description: 'By outcome, and how long a run takes on average. Empty natively.',
      unit: 'short',
      queries: [
        { expr: 'sum by (outcome) (cron_runs_total)', legend: '{{outcome}}' },
        {
          expr: 'sum(cron_run_duration_seconds_sum) / sum(cron_run_duration_seconds_count)',
          legend: 'seconds per run',
        },
      ],
      width: 12,
      runbooks: ['CronRunFailed'],
    },
  ],
};

const FAILURES: RowSpec = {
  title: 'What fails, and why?',
  panels: [
    {
      kind: 'lines',
      title: 'Failed attempts per minute, by error class',
      description:
        'If one class is far above the others, a dependency fails; if many classes rise together, the jobs themselves fail.',
      unit: 'cpm',
      queries: [
        {
          expr: '60 * sum by (kind, error_class) (rate(jobs_failures_total[$__rate_interval]))',
          legend: '{{kind}} {{error_class}}',
        },
      ],
      runbooks: ['RetryStorm'],
    },
    {
      kind: 'lines',
      title: 'Dead jobs per minute, by cause',
      description:
        'exhausted: all attempts failed. fatal: no retry helps. All other causes should be 0.',
      unit: 'cpm',
      queries: [
        {
          expr: '60 * sum by (kind, cause) (rate(jobs_dead_lettered_total[$__rate_interval]))',
          legend: '{{kind}} {{cause}}',
        },
      ],
      runbooks: ['DeadLetters'],
    },
    {
      kind: 'lines',
      title: 'Share of jobs that died',
      description: 'Over five minutes and over an hour; the alert needs both. Allowed: 1 %.',
      unit: 'percentunit',
      queries: ['5m', '1h'].map((window) => ({
        expr: `job:dead:ratio_rate${window}`,
        legend: window,
      })),
      bounds: { warning: 0.01, critical: 0.144 },
      max: 1,
      runbooks: ['JobFailuresHigh'],
    },
  ],
};

const LOSSES: RowSpec = {
  title: 'Is anything lost?',
  panels: [
    {
      kind: 'lines',
      title: 'Job records without a message',
      description:
        'Jobs under way that no queue holds. A few in either direction under load, since records and broker are read seconds apart.',
      unit: 'short',
      queries: [{ expr: 'job:unaccounted', legend: 'unaccounted' }],
      min: null,
      runbooks: ['JobsUnaccounted'],
    },
    {
      kind: 'lines',
      title: 'Dropped by the broker in ten minutes',
      description:
        'destroyed: no dead-letter exchange. overflowed: pushed out of a full queue. unroutable: no binding leads to a queue. Should be 0.',
      unit: 'short',
      queries: [{ expr: 'sum by (how) (broker:dropped:increase10m)', legend: '{{how}}' }],
      runbooks: ['MessagesDropped'],
    },
    {
      kind: 'lines',
      title: 'Repaired',
      description:
        'Jobs whose message was lost and that the reconciler published again, and dead jobs that were replayed, over the time shown.',
      unit: 'short',
      queries: [
        { expr: 'sum(increase(jobs_reconciled_total[$__range]))', legend: 'reconciled' },
        {
          expr: 'sum by (kind) (increase(jobs_replayed_total[$__range]))',
          legend: 'replayed, {{kind}}',
        },
      ],
      runbooks: ['JobsUnaccounted', 'DeadLetters'],
    },
  ],
};

export const OVERVIEW: DashboardSpec = {
  uid: 'fit-overview',
  title: 'FIT 1 Overview',
  description: 'Is every user served, and if not, why?',
  variables: [],
  rows: [FIRING, SERVED, DAILY_RUN, FAILURES, LOSSES],
};
