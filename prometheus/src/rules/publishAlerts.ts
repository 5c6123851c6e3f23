/** Alerts on jobs that the broker would not take: late, never lost, since the record is the outbox. */
import { brokerMetric, increaseByInstance, RECORDS_ARE_FRESH } from './promql.ts';
import type { AlertRule } from './rule.ts';

/** Received minus confirmed counts what is in flight as well: a few of other publishers … */
const IN_FLIGHT_COUNT = 5;

/**
 * … and up to the relay's window of FIT's own, which its processes tell. They are scraped up to 5 s before or after the broker, while a
 * round lasts less: hence the most of a minute, and a tenth on top for what `increase` extrapolates.
 */
const PENDING = '1.1 * (sum(max_over_time(jobs_publish_pending[1m])) or vector(0))';

const RECEIVED = increaseByInstance(brokerMetric('received_confirm_total'), '5m');
const CONFIRMED = increaseByInstance(brokerMetric('confirmed_total'), '5m');

/** A round of the relay takes a second, a refused job is offered again after as much. */
const STALE_SECONDS = 60;

export const PUBLISH_ALERTS: readonly AlertRule[] = [
  {
    // A refused job is offered again every second, so one that is taken then is no matter: refusals must go on for two minutes.
    // Who fills a queue within seconds is told by QueueNearFull, which does not wait.
    alert: 'PublishRejected',
    expr: 'sum by (queue, outcome) (increase(jobs_published_total{outcome!="confirmed"}[1m])) > 0',
    for: '2m',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The broker goes on refusing jobs for {{ $labels.queue }}: {{ $labels.outcome }}',
      description: 'They stay in the outbox and are published again: late, not lost.',
      remedy:
        'nacked: drain the queue, it is full. returned: restore the binding. timeout, error: look at the broker.',
    },
  },
  {
    // What the relay keeps back for jobs that come back is refused by nobody: only its age tells that it waits.
    alert: 'OutboxStale',
    expr: `max(jobs_outbox_oldest_age_seconds) > ${STALE_SECONDS}\n  ${RECORDS_ARE_FRESH}`,
    for: '1m',
    labels: { severity: 'warning' },
    annotations: {
      summary: 'A job has waited {{ $value | humanizeDuration }} to be handed to the broker',
      description:
        'The queue has no room but what is kept for retries, or the relay stands still. Late, not lost.',
      remedy: 'See how full the queue is: add coaches. If it is not full, read the monolith’s log.',
    },
  },
  {
    alert: 'BrokerRefusesPublishes',
    expr: `${RECEIVED}\n  - ${CONFIRMED}\n  > on () group_left () ${IN_FLIGHT_COUNT} + ${PENDING}`,
    for: '30s',
    labels: { severity: 'warning' },
    annotations: {
      summary: 'The broker left {{ $value | humanize }} publishes without a confirm',
      description: 'A publisher, perhaps not one of FIT, sends into a full queue.',
      remedy: 'Find the publisher and the full queue.',
    },
  },
];
