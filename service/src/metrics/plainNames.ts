/** The names that people look for first, and where what they mean is found. Exported once, under one name only. */
export interface PlainName {
  readonly plain: string;
  /** A metric of the catalogue. */
  readonly ours: string;
  readonly expr: string;
  /** What differs from what the plain name promises. */
  readonly note: string;
}

export const PLAIN_NAMES: readonly PlainName[] = [
  {
    plain: 'messages_produced_total',
    ours: 'jobs_published_total',
    expr: 'sum by (queue) (rate(jobs_published_total{outcome="confirmed"}[1m]))',
    note: 'told apart by what the broker answered: only confirmed is produced',
  },
  {
    plain: 'messages_consumed_total',
    ours: 'jobs_attempts_total',
    expr: 'sum by (queue) (rate(jobs_attempts_total[1m]))',
    note: 'an attempt is a delivery that was worked on; those put aside before one are jobs_refused_total',
  },
  {
    plain: 'message_processing_duration_seconds',
    ours: 'jobs_run_seconds',
    expr: 'histogram_quantile(0.95, sum by (le, type) (rate(jobs_run_seconds_bucket[5m])))',
    note: 'failures included, told apart by outcome',
  },
  {
    plain: 'message_processing_errors_total',
    ours: 'jobs_failures_total',
    expr: 'sum by (type, error_class) (rate(jobs_failures_total[5m]))',
    note: 'by error class; what became of the jobs is jobs_retries_scheduled_total and jobs_dead_lettered_total',
  },
  {
    plain: 'http_request_duration_seconds',
    ours: 'http_server_request_duration_seconds',
    expr: 'histogram_quantile(0.95, sum by (le, route) (rate(http_server_request_duration_seconds_bucket[5m])))',
    note: 'by route pattern and class of status; the name is that of the OpenTelemetry conventions',
  },
];
