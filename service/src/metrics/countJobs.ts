/** Counts job events. */
import type { JobEnd, JobEvent, JobListener } from '@fit/jobs';
import type { MetricSet } from './metricSet.ts';

const ATTEMPT_OUTCOMES = {
  done: 'success',
  retry: 'retry',
  reject: 'dead',
  discard: 'discarded',
} as const;

/** @returns the listener, which must get every event. */
export function countJobs(metrics: MetricSet): JobListener {
  return (event) => {
    count(metrics, event);
  };
}

function count(metrics: MetricSet, event: JobEvent): void {
  switch (event.type) {
    case 'attempted':
      countAttempt(metrics, event);
      return;
    case 'finished':
      metrics.set('jobs_last_success_timestamp_seconds', {}, Date.now() / 1_000);
      countEnds(metrics, event, 'success');
      return;
    case 'deadLettered':
      metrics.add(
        'jobs_dead_lettered_total',
        { kind: event.kind, cause: event.cause },
        event.count,
      );
      countEnds(metrics, event, 'dead');
      return;
    case 'deadLetterStored':
      metrics.add(
        'jobs_dead_lettered_total',
        { kind: event.kind, cause: event.cause },
        event.count,
      );
      return;
    case 'unchanged':
      metrics.add('jobs_unchanged_total', { transition: event.transition }, event.count);
      return;
    case 'storeDown':
      metrics.add('jobs_store_outages_total', { stage: event.stage });
      metrics.set('jobs_store_down', { stage: event.stage }, 1);
      return;
    case 'stageFailed':
      metrics.add('jobs_stage_failures_total', { stage: event.stage });
      return;
    case 'storeUp':
      metrics.set('jobs_store_down', { stage: event.stage }, 0);
      return;
    case 'published':
      // `countPublishes` counts a publish when its result is known. A record of a kind that is not declared has no queue and is counted here.
      if (event.queue === 'unknown')
        metrics.add('jobs_published_total', { queue: 'other', outcome: 'error' }, event.count);
      return;
    default:
      countBackgroundTask(metrics, event);
      countMessage(metrics, event);
  }
}

function countBackgroundTask(metrics: MetricSet, event: JobEvent): void {
  if (event.type === 'reconciled') metrics.add('jobs_reconciled_total', {}, event.count);
  if (event.type === 'replayed')
    metrics.add('jobs_replayed_total', { kind: event.kind }, event.count);
  if (event.type === 'roundEnded')
    metrics.set(`jobs_${event.task}_last_timestamp_seconds`, {}, Date.now() / 1_000);
}

function countMessage(metrics: MetricSet, event: JobEvent): void {
  if (event.type === 'refused') metrics.add('jobs_refused_total', { queue: event.queue });
  if (event.type === 'redelivered') metrics.add('jobs_redelivered_total', { queue: event.queue });
  if (event.type === 'attemptMismatch')
    metrics.add('jobs_attempt_mismatch_total', { queue: event.queue });
}

function countAttempt(metrics: MetricSet, event: Extract<JobEvent, { type: 'attempted' }>): void {
  const { queue, kind, waitQueue, errorClass, queueWaitMs } = event;
  // A failure of the last attempt has no delay, whatever its handler asked for.
  const outcome = isExhausted(event) ? 'dead' : ATTEMPT_OUTCOMES[event.outcome];
  metrics.add('jobs_attempts_total', { queue, kind, outcome });
  metrics.observe('jobs_run_seconds', { kind, outcome }, event.durationMs / 1_000);
  if (errorClass !== undefined)
    metrics.add('jobs_failures_total', { kind, error_class: errorClass });
  if (waitQueue !== undefined) metrics.add('jobs_retries_scheduled_total', { queue: waitQueue });
  if (queueWaitMs !== undefined)
    metrics.observe('jobs_queue_wait_seconds', { queue }, queueWaitMs / 1_000);
}

function isExhausted({ outcome, delayMs }: Extract<JobEvent, { type: 'attempted' }>): boolean {
  return outcome === 'retry' && delayMs === undefined;
}

function countEnds(
  metrics: MetricSet,
  event: { readonly kind: string; readonly count: number; readonly ends: readonly JobEnd[] },
  outcome: 'success' | 'dead',
): void {
  const labels = { kind: event.kind, outcome };
  metrics.add('jobs_finished_total', labels, event.count);
  for (const { attemptCount, endToEndMs } of event.ends) {
    metrics.observe('jobs_attempts_per_job', labels, attemptCount);
    if (endToEndMs !== undefined)
      metrics.observe('jobs_end_to_end_seconds', labels, endToEndMs / 1_000);
  }
}
