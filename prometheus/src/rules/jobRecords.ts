/** What becomes of jobs, over several windows: records against the broker, shares of dead and of slow ones. */
import { brokerMetric, ofRole, sumOfIncreases } from './promql.ts';
import type { RecordingRule } from './rule.ts';

/** Of 100 jobs 99 shall end well: the objective of both budgets. */
const DEAD_RANGES = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const;
const SLOW_RANGES = ['5m', '1h'] as const;

/** Prometheus 3 stores `le="60"` as 60.0, and a literal 60 then matches nothing. */
const WITHIN_OBJECTIVE = 'jobs_end_to_end_seconds_bucket{outcome="success",le=~"60(\\\\.0)?"}';
const SUCCEEDED = 'jobs_end_to_end_seconds_count{outcome="success"}';

/** How a message can end without anybody holding it. */
const DESTROYED = ['maxlen', 'expired', 'rejected', 'delivery_limit'].map(
  (reason) => `${brokerMetric(`dead_lettered_${reason}_total`)}{dead_letter_strategy="disabled"}`,
);

export const JOB_RECORDS: readonly RecordingRule[] = [
  {
    // Every replica exports the same counts, hence max. In flight on both sides are a few: alerts allow for them.
    record: 'job:unaccounted',
    expr: [
      'sum(max by (state) (jobs_by_state{state=~"queued|running|waiting"}))',
      `- on () (sum(${ofRole('queue:ready', 'main')} or ${ofRole('queue:ready', 'wait')})`,
      '  + sum(queue:unacked) + sum(queue:dlx_held))',
    ].join('\n'),
  },
  ...DEAD_RANGES.map((range) => ({
    record: `job:dead:ratio_rate${range}`,
    // Nothing finished is 0/0: `>= 0` drops it, and nothing dead is 0.
    expr: `(sum(rate(jobs_finished_total{outcome="dead"}[${range}]))\n  / sum(rate(jobs_finished_total[${range}]))) >= 0 or vector(0)`,
  })),
  ...SLOW_RANGES.map((range) => ({
    record: `job:slow:ratio_rate${range}`,
    expr: `1 - sum(rate(${WITHIN_OBJECTIVE}[${range}]))\n  / sum(rate(${SUCCEEDED}[${range}]))`,
  })),
  { record: 'broker:destroyed:increase10m', expr: sumOfIncreases(DESTROYED, '10m') },
];
