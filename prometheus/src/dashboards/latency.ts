/** How long jobs take, and where the time goes. */
import type { DashboardSpec, PanelSpec, Query, RowSpec } from './dashboardSpec.ts';

const QUANTILES = [0.5, 0.95, 0.99];

/** @param by labels besides `le` that tell the lines apart. */
function quantile(q: number, histogram: string, by: readonly string[] = []): Query {
  const labels = ['le', ...by].join(', ');
  const legend = [`p${q * 100}`, ...by.map((label) => `{{${label}}}`)].join(', ');
  const rate = `sum by (${labels}) (rate(${histogram}[$__rate_interval]))`;
  return { expr: `histogram_quantile(${q}, ${rate})`, legend };
}

const mean = (histogram: string, legend: string): Query => ({
  expr:
    `sum(rate(${histogram}_sum[$__rate_interval]))\n` +
    `  / sum(rate(${histogram}_count[$__rate_interval]))`,
  legend,
});

const WAIT_BUCKETS = 'jobs_queue_wait_seconds_bucket{queue=~"$queue"}';

const WAIT_HEATMAP: PanelSpec = {
  kind: 'heat',
  title: 'Wait for a coach',
  description:
    'From the moment a job could begin to its delivery. A band that climbs is a backlog.',
  unit: 's',
  queries: [
    { expr: `sum by (le) (increase(${WAIT_BUCKETS}[$__rate_interval]))`, legend: '{{le}}' },
  ],
  width: 12,
  runbooks: ['QueueWaitHigh'],
};

const STAGES: RowSpec = {
  title: 'By stage',
  panels: [
    WAIT_HEATMAP,
    {
      kind: 'lines',
      title: 'Wait for a coach, quantiles',
      description: 'The alert QueueWaitHigh asks for p95 above 10 s.',
      unit: 's',
      queries: QUANTILES.map((q) => quantile(q, WAIT_BUCKETS)),
      bounds: { warning: 10, critical: 60 },
      width: 12,
      runbooks: ['QueueWaitHigh', 'WorkersSaturated'],
    },
    {
      kind: 'lines',
      title: 'One attempt, p95 by outcome',
      description: 'Failures included. retry near 30 s are attempts that ran into their deadline.',
      unit: 's',
      queries: [quantile(0.95, 'jobs_run_seconds_bucket', ['outcome'])],
      runbooks: ['JobStuck'],
    },
    {
      kind: 'lines',
      title: 'Where the time goes',
      description:
        'Means: waiting for a coach, and running. What is left of the whole is waits between attempts and storing.',
      unit: 's',
      queries: [
        mean('jobs_queue_wait_seconds', 'waiting'),
        mean('jobs_run_seconds', 'running'),
        mean('jobs_end_to_end_seconds', 'whole'),
      ],
      runbooks: ['JobLatencyBurn'],
    },
  ],
};

const WHOLE: RowSpec = {
  title: 'From being asked for to the end',
  panels: [
    {
      kind: 'lines',
      title: 'End to end, p95 by outcome',
      description:
        'First enqueue to done or dead. 5 s, 35 s and 155 s are the retries at their tiers.',
      unit: 's',
      queries: [
        quantile(0.5, 'jobs_end_to_end_seconds_bucket', ['outcome']),
        quantile(0.95, 'jobs_end_to_end_seconds_bucket', ['outcome']),
      ],
      width: 12,
      runbooks: ['JobLatencyBurn'],
    },
    {
      kind: 'lines',
      title: 'Slower than 60 s',
      description:
        'Share of successful jobs. The alert asks for more than 14.4 % in the hour and in five minutes.',
      unit: 'percentunit',
      queries: ['5m', '1h'].map((window) => ({
        expr: `job:slow:ratio_rate${window}`,
        legend: window,
      })),
      bounds: { warning: 0.01, critical: 0.144 },
      max: 1,
      width: 12,
      runbooks: ['JobLatencyBurn'],
    },
  ],
};

export const LATENCY: DashboardSpec = {
  uid: 'fit-latency',
  title: 'FIT 4 Latency',
  description: 'How long jobs take, and where the time goes.',
  variables: ['queue'],
  rows: [STAGES, WHOLE],
};
