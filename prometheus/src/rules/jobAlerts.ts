/** Alerts on what became of jobs. The windows outlast the event, so that one event is seen and then recovers. */
import type { AlertRule } from './rule.ts';

export const JOB_ALERTS: readonly AlertRule[] = [
  {
    alert: 'DeadLetters',
    expr: 'sum by (type, reason) (increase(jobs_dead_lettered_total[15m])) > 0',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $labels.type }} jobs died: {{ $labels.reason }}',
      description:
        '{{ $value | humanize }} in the last 15 minutes. They are kept and can be replayed.',
      remedy: 'Open the group of that cause at the desk, mend it, replay.',
    },
  },
  {
    alert: 'PublishRejected',
    expr: 'sum by (queue, outcome) (increase(jobs_published_total{outcome!="confirmed"}[5m])) > 0',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The broker did not take jobs for {{ $labels.queue }}: {{ $labels.outcome }}',
      description: 'They stay in the outbox and are published again: late, not lost.',
      remedy:
        'nacked: drain the queue, it is full. returned: restore the binding. timeout, error: look at the broker.',
    },
  },
];
