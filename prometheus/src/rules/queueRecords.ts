/** Per queue: what it holds, how full it is, when it will be full. The same for every declaration. */
import { brokerQueueMetric, maxByQueue, ON_QUEUE } from './promql.ts';
import type { RecordingRule } from './rule.ts';

const MESSAGES = brokerQueueMetric('messages');
const READY = brokerQueueMetric('messages_ready');
const UNACKED = brokerQueueMetric('messages_unacked');

/** Below this a queue drifts rather than fills, and the forecast is noise: messages per second. */
const FILLING_PER_SECOND = 0.05;

/** In the order of evaluation: each uses only what stands above it, which one group guarantees. */
export const QUEUE_RECORDS: readonly RecordingRule[] = [
  { record: 'queue:ready', expr: maxByQueue(READY) },
  { record: 'queue:unacked', expr: maxByQueue(UNACKED) },
  { record: 'queue:consumers', expr: maxByQueue(brokerQueueMetric('consumers')) },
  {
    // Neither ready nor unacked: dead letters that an at-least-once queue holds until their target takes them.
    record: 'queue:dlx_held',
    expr: maxByQueue(`${MESSAGES} - ${READY} - ${UNACKED}`),
  },
  {
    // What the limit counts. Unacked messages are not among it, so fill above 1 is legal.
    record: 'queue:counted',
    expr: 'queue:ready + queue:dlx_held',
  },
  { record: 'queue:fill:ratio', expr: `queue:counted / ${ON_QUEUE} queue:max_length` },
  {
    // One minute: over five the trend of a fast fill was known only after the queue was full.
    record: 'queue:fill:time_to_full_seconds',
    expr:
      `clamp_min(queue:max_length - ${ON_QUEUE} queue:counted, 0)\n` +
      `  / ${ON_QUEUE} (deriv(queue:counted[1m]) > ${FILLING_PER_SECOND})`,
  },
  {
    // Little's law: what enters a tier each second stays for its TTL. Known minutes before the tier is that deep.
    record: 'queue:wait_forecast:ratio',
    expr:
      'sum by (queue) (rate(jobs_retries_scheduled_total[1m]))\n' +
      '  * on (queue) group_right () queue:ttl_seconds\n' +
      `  / ${ON_QUEUE} queue:return_limit`,
  },
];
