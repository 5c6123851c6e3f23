/** A row of the platform's dashboard: whether the watching itself works. */
import type { RowSpec } from './dashboardSpec.ts';

export const WATCHING: RowSpec = {
  title: 'Watching',
  panels: [
    {
      kind: 'lines',
      title: 'Duration of scrapes',
      description: 'Above 4 s a scrape is given up and its target counts as down.',
      unit: 's',
      queries: [{ expr: 'max by (job) (scrape_duration_seconds)', legend: '{{job}}' }],
      bounds: { warning: 1, critical: 4 },
      runbooks: ['TargetDown'],
    },
    {
      kind: 'lines',
      title: 'Series per scrape',
      description: 'Flat. A line that only rises is a label without bounds.',
      unit: 'short',
      queries: [{ expr: 'sum by (job) (scrape_samples_scraped)', legend: '{{job}}' }],
    },
    {
      kind: 'lines',
      title: 'Age of the record figures',
      description:
        'Jobs by state, outbox and ages are read from the database beside the scrape. Above 30 s they are history.',
      unit: 's',
      queries: [{ expr: 'max(jobs_records_age_seconds)', legend: 'age' }],
      bounds: { warning: 15, critical: 30 },
      runbooks: ['StoreDown'],
    },
    {
      kind: 'lines',
      title: 'Failed refreshes of them',
      description: 'The database did not answer in time; the old figures stood.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum(rate(jobs_records_refresh_failures_total[$__rate_interval]))',
          legend: 'failed',
        },
      ],
      runbooks: ['StoreDown'],
    },
    {
      kind: 'lines',
      title: 'Failed rules, dropped notifications',
      description: '0, always: else alerts are missing.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum(rate(prometheus_rule_evaluation_failures_total[$__rate_interval]))',
          legend: 'rules failed',
        },
        {
          expr: 'sum(rate(prometheus_notifications_dropped_total[$__rate_interval]))',
          legend: 'notifications dropped',
        },
      ],
      runbooks: ['AlertPipelineBroken'],
    },
    {
      kind: 'lines',
      title: 'One evaluation of the rules',
      description: 'Must stay far below the interval of 5 s.',
      unit: 's',
      queries: [
        { expr: 'max(prometheus_rule_group_last_duration_seconds)', legend: 'slowest group' },
      ],
      bounds: { warning: 1, critical: 5 },
      runbooks: ['AlertPipelineBroken'],
    },
    {
      kind: 'lines',
      title: 'Notifications',
      description:
        'Sent to receivers, and failed on the way. Empty of sent ones: no receiver is set.',
      unit: 'cps',
      queries: [
        {
          expr: 'sum(rate(alertmanager_notifications_total[$__rate_interval]))',
          legend: 'sent',
        },
        {
          expr: 'sum(rate(alertmanager_notifications_failed_total[$__rate_interval]))',
          legend: 'failed',
        },
      ],
      runbooks: ['Watchdog', 'AlertPipelineBroken'],
    },
    {
      kind: 'lines',
      title: 'Alertmanagers known',
      description: '1. At 0 no alert leaves Prometheus.',
      unit: 'short',
      queries: [
        { expr: 'max(prometheus_notifications_alertmanagers_discovered)', legend: 'known' },
      ],
      runbooks: ['Watchdog'],
    },
  ],
};
