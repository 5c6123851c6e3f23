/** Is it well, and if not, where to look. */
import type { DashboardSpec, RowSpec } from './dashboardSpec.ts';

/** The share of jobs that may die: the objective is 99 %. */
const BUDGET = '0.01';

const NOW: RowSpec = {
  title: 'Now',
  panels: [
    {
      kind: 'number',
      title: 'Jobs done per minute',
      description: 'Workouts that were made and stored. 0 is normal when no run is under way.',
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
        'Share of jobs that ended well; a retry that succeeds counts as good. The objective is 99 %. Empty where none ended.',
      unit: 'percentunit',
      queries: [
        {
          // The recorded share is 0 where no job ended: right for an alert, but coaches that are gone are no success.
          expr: '1 - job:dead:ratio_rate1h\n  and on () sum(rate(jobs_finished_total[1h])) > 0',
          legend: 'success',
        },
      ],
      bounds: { warning: 0.99, critical: 0.95 },
      max: 1,
      runbooks: ['JobSuccessBurn'],
    },
    {
      kind: 'number',
      title: 'Error budget left',
      description:
        'Of the 1 % of jobs that may die, in the time that is shown: 100 % is untouched, below 0 is overspent.',
      unit: 'percentunit',
      queries: [
        {
          expr:
            '1 - (sum(increase(jobs_finished_total{outcome="dead"}[$__range]))\n' +
            // No job ended: 0/0, which the comparison drops.
            `  / sum(increase(jobs_finished_total[$__range])) >= 0) / ${BUDGET}`,
          legend: 'left',
        },
      ],
      bounds: { warning: 0.25, critical: 0 },
      min: null,
      runbooks: ['JobSuccessBurn'],
    },
    {
      kind: 'number',
      title: 'Fullest queue',
      description: 'Share of its limit. Full, it refuses jobs; they then wait in the outbox.',
      unit: 'percentunit',
      queries: [{ expr: 'max(queue:fill:ratio)', legend: 'full' }],
      bounds: { warning: 0.7, critical: 0.9 },
      runbooks: ['QueueNearFull', 'QueueFillingUp'],
    },
    {
      kind: 'number',
      title: 'Oldest job under way',
      description: 'Since it could have begun. Jobs in a wait between attempts do not age.',
      unit: 's',
      queries: [{ expr: 'max(jobs_oldest_age_seconds)', legend: 'oldest' }],
      bounds: { warning: 60, critical: 300 },
      runbooks: ['QueueStalled', 'JobLatencyBurn'],
    },
    {
      kind: 'number',
      title: 'Alerts firing',
      description:
        'Warnings and critical ones; the list below names them. Empty where Prometheus evaluates no rules at all.',
      unit: 'short',
      queries: [
        {
          // 0 by the alert that fires always, and not by itself: without rules nothing can fire.
          expr:
            'count(ALERTS{alertstate="firing",severity=~"warning|critical"})\n' +
            '  or 0 * max(ALERTS{alertname="Watchdog",alertstate="firing"})',
          legend: 'firing',
        },
      ],
      bounds: { warning: 1, critical: 3 },
    },
  ],
};

const ALERTS: RowSpec = {
  title: 'Alerts and targets',
  panels: [
    {
      kind: 'table',
      title: 'Firing alerts',
      description:
        'One line each; the name leads to its runbook. The Watchdog fires always and proves that alerting works.',
      unit: 'short',
      queries: [{ expr: 'ALERTS{alertstate="firing"}', legend: '{{alertname}}' }],
      width: 16,
    },
    {
      kind: 'number',
      title: 'Targets up',
      description: '1 is up, 0 is down: at least one instance of that job does not answer.',
      unit: 'short',
      queries: [{ expr: 'min by (job) (up)', legend: '{{job}}' }],
      bounds: { warning: 1, critical: 0.5 },
      width: 8,
      runbooks: ['TargetDown'],
    },
  ],
};

const TODAY: RowSpec = {
  title: 'Work',
  panels: [
    {
      kind: 'lines',
      title: 'Jobs by state',
      description:
        'All job records. Done grows for ever; a plateau in waiting is retries, one in dead wants a replay.',
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
      runbooks: ['JobSuccessBurn'],
    },
    {
      kind: 'lines',
      title: 'Fill',
      description:
        'Share of each limit that is used: ready messages and held dead letters. Above 1 is possible for a moment.',
      unit: 'percentunit',
      queries: [{ expr: 'queue:fill:ratio{queue=~"$queue"}', legend: '{{queue}}' }],
      bounds: { warning: 0.7, critical: 0.9 },
      runbooks: ['QueueNearFull'],
    },
    {
      kind: 'lines',
      title: 'Oldest job by state',
      description:
        'Age since the job could have begun. A line that only rises is a job that nobody does.',
      unit: 's',
      queries: [{ expr: 'max by (state) (jobs_oldest_age_seconds)', legend: '{{state}}' }],
      runbooks: ['QueueStalled'],
    },
    {
      kind: 'lines',
      title: 'Daily run',
      description:
        'Seconds to the next planned run, and since the last that ended well. Empty where cron is not watched (natively).',
      unit: 's',
      queries: [
        { expr: 'max(cron_next_run_timestamp_seconds) - time()', legend: 'to the next' },
        {
          expr: 'time() - (max(cron_last_success_timestamp_seconds) > 0)',
          legend: 'since the last good one',
        },
      ],
      min: null,
      runbooks: ['CronOverdue', 'CronRunFailed'],
    },
    {
      kind: 'lines',
      title: 'Runs by cron',
      description:
        'Since cron was started: runs by outcome, and how long one takes on average. Empty natively, as above.',
      unit: 'short',
      queries: [
        { expr: 'sum by (outcome) (cron_runs_total)', legend: '{{outcome}}' },
        {
          expr: 'sum(cron_run_duration_seconds_sum) / sum(cron_run_duration_seconds_count)',
          legend: 'seconds per run',
        },
      ],
      runbooks: ['CronRunFailed'],
    },
  ],
};

export const OVERVIEW: DashboardSpec = {
  uid: 'fit-overview',
  title: 'FIT 1 Overview',
  description: 'Is it well, and if not, where to look.',
  variables: ['queue'],
  rows: [NOW, ALERTS, TODAY],
};
