/** Alerts on messages that are gone, or about to be: the records know each of them, so all of these end in a repair. */
import { brokerMetric, increaseByInstance, RECORDS_ARE_FRESH, sumOfIncreases } from './promql.ts';
import type { AlertRule } from './rule.ts';

/** Records and broker are counted up to 10 s apart: at 500 jobs a second that alone is 5,000. */
const UNACCOUNTED_BOUND = '(20 + 10 * (sum(rate(jobs_attempts_total[1m])) or vector(0)))';

export const LOSS_ALERTS: readonly AlertRule[] = [
  {
    alert: 'MessagesDestroyed',
    expr: 'broker:destroyed:increase10m > 0',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The broker destroyed {{ $value | humanize }} messages',
      description:
        'They expired or were refused on a queue without a dead-letter exchange. The reconciler publishes their jobs again.',
      remedy: 'Find the queue that lost its dead-letter exchange: npm run topology -- diff.',
    },
  },
  {
    alert: 'QueueOverflowed',
    expr: `${increaseByInstance(`${brokerMetric('dead_lettered_maxlen_total')}{dead_letter_strategy!="disabled"}`, '10m')} > 0`,
    labels: { severity: 'critical' },
    annotations: {
      summary: '{{ $value | humanize }} messages were pushed out of a full queue',
      description: 'Jobs were accepted by the broker and then dead-lettered unread, as overflowed.',
      remedy: 'Raise the limit or add coaches, then replay cause overflowed.',
    },
  },
  {
    alert: 'JobsUnaccounted',
    expr: `job:unaccounted > on () ${UNACCOUNTED_BOUND}\n  ${RECORDS_ARE_FRESH}`,
    for: '2m',
    labels: { severity: 'critical' },
    annotations: {
      summary: '{{ $value | humanize }} jobs are on record as under way, and no queue holds them',
      description: 'Some hop loses messages. The reconciler publishes them again, late.',
      remedy:
        'Find the hop: compare dead-lettered and returned counts, then npm run topology -- verify.',
    },
  },
  {
    alert: 'DeadLetterHeld',
    expr: 'min_over_time(queue:dlx_held[2m]) > 0',
    labels: { severity: 'warning' },
    annotations: {
      summary:
        '{{ $labels.queue }} holds {{ $value | humanize }} messages that their target does not take',
      description:
        'Their next queue is full or missing. They stay, count towards the limit, and are offered again every three minutes.',
      remedy: 'Drain the target queue, or restore it.',
    },
  },
  {
    alert: 'Unroutable',
    expr: `${sumOfIncreases([brokerMetric('unroutable_returned_total'), brokerMetric('unroutable_dropped_total')], '5m')} > 0`,
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $value | humanize }} messages found no queue',
      description:
        'A binding is missing. What FIT publishes comes back to the outbox; what others publish is gone.',
      remedy: 'Restore the binding: npm run topology -- diff, then apply.',
    },
  },
];
