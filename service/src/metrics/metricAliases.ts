/** The names that people look for first, and where what they mean is found. Exported once, under one name only. */
export interface MetricAlias {
  readonly alias: string;
  /** A metric of the catalogue. */
  readonly metric: string;
  readonly query: string;
  /** What differs from what the plain name promises. */
  readonly difference: string;
}

export const METRIC_ALIASES: readonly MetricAlias[] = [
  {
    alias: 'messages_produced_total',
    metric: 'jobs_published_total',
    query: 'sum by (queue) (rate(jobs_published_total{outcome="confirmed"}[1m]))',
    difference: 'told apart by what the broker answered: only confirmed is produced',
  },
  {
    alias: 'messages_consumed_total',
    metric: 'jobs_attempts_total',
    query: 'sum by (queue) (rate(jobs_attempts_total[1m]))',
    difference:
      'an attempt is a delivery that was worked on; those put aside before one are jobs_refused_total',
  },
  {
    alias: 'message_processing_duration_seconds',
    metric: 'jobs_run_seconds',
    query: 'histogram_quantile(0.95, sum by (le, type) (rate(jobs_run_seconds_bucket[5m])))',
    difference: 'failures included, told apart by outcome',
  },
  {
    alias: 'message_processing_errors_total',
    metric: 'jobs_failures_total',
    query: 'sum by (type, error_class) (rate(jobs_failures_total[5m]))',
    difference:
      'by error class; what became of the jobs is jobs_retries_scheduled_total and jobs_dead_lettered_total',
  },
  {
    alias: 'http_request_duration_seconds',
    metric: 'http_server_request_duration_seconds',
    query:
      'histogram_quantile(0.95, sum by (le, route) (rate(http_server_request_duration_seconds_bucket[5m])))',
    difference:
      'by route pattern and class of status; the name is that of the OpenTelemetry conventions',
  },
];
