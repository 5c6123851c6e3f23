/** Job events → metrics. Known label sets start at zero, or `increase` would miss the first event. */
import type { JobEvent, JobListener } from '@fit/jobs';
import { DEATH_CAUSES, type Declaration, planTopology } from '@fit/topology';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const PUBLISH_OUTCOMES = {
  confirmed: 'confirmed',
  nacked: 'nacked',
  returned: 'returned',
  unknown: 'timeout',
} as const;
const ATTEMPT_OUTCOMES = {
  done: 'success',
  retry: 'retry',
  retryAfter: 'retry',
  reject: 'dead',
  discard: 'discarded',
} as const;
const RUN_BUCKETS_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** @returns the listener that counts; pass it every event. */
export function jobMetrics(registry: Registry, declaration: Declaration): JobListener {
  const metrics = makeMetrics(registry);
  for (const { kind, queue } of declaration.kinds) startAtZero(metrics, kind, queue);
  return (event) => {
    count(metrics, event);
  };
}

type Metrics = ReturnType<typeof makeMetrics>;

function makeMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers });
  return {
    published: counter('jobs_published_total', 'Publishes by what the broker said', [
      'queue',
      'outcome',
    ]),
    attempts: counter('jobs_attempts_total', 'Attempts that ended', ['queue', 'type', 'outcome']),
    finished: counter('jobs_finished_total', 'Jobs that reached an end, once each', [
      'type',
      'outcome',
    ]),
    deadLettered: counter('jobs_dead_lettered_total', 'Jobs that died, by cause', [
      'type',
      'reason',
    ]),
    failures: counter('jobs_failures_total', 'Failed attempts by error class', [
      'type',
      'error_class',
    ]),
    redelivered: counter('jobs_redelivered_total', 'Deliveries that were delivered before', [
      'queue',
    ]),
    refused: counter('jobs_refused_total', 'Messages that are no job', ['queue']),
    mismatches: counter('jobs_attempt_mismatch_total', 'Key and x-death disagreed', ['queue']),
    unchanged: counter('jobs_unchanged_total', 'Late or doubled writes, no-ops', ['transition']),
    reconciled: counter('jobs_reconciled_total', 'Jobs that the broker had lost', []),
    storeOutages: counter('jobs_store_outages_total', 'Times the store refused', ['stage']),
    run: new Histogram({
      name: 'jobs_run_seconds',
      help: 'Duration of attempts, failures included',
      labelNames: ['type', 'outcome'],
      buckets: RUN_BUCKETS_SECONDS,
      registers,
    }),
  };
}

function startAtZero(metrics: Metrics, type: string, queue: string): void {
  for (const outcome of Object.values(PUBLISH_OUTCOMES))
    metrics.published.inc({ queue, outcome }, 0);
  for (const outcome of new Set(Object.values(ATTEMPT_OUTCOMES)))
    metrics.attempts.inc({ queue, type, outcome }, 0);
  for (const outcome of ['success', 'dead']) metrics.finished.inc({ type, outcome }, 0);
  for (const reason of DEATH_CAUSES) metrics.deadLettered.inc({ type, reason }, 0);
  metrics.redelivered.inc({ queue }, 0);
  metrics.refused.inc({ queue }, 0);
  metrics.mismatches.inc({ queue }, 0);
}

function count(metrics: Metrics, event: JobEvent): void {
  switch (event.type) {
    case 'published':
      metrics.published.inc(
        { queue: event.queue, outcome: PUBLISH_OUTCOMES[event.result] },
        event.count,
      );
      return;
    case 'attempted':
      countAttempt(metrics, event);
      return;
    case 'finished':
      metrics.finished.inc({ type: event.kind, outcome: 'success' }, event.count);
      return;
    case 'buried':
      metrics.finished.inc({ type: event.kind, outcome: 'dead' }, event.count);
      metrics.deadLettered.inc({ type: event.kind, reason: event.cause }, event.count);
      return;
    case 'unchanged':
      metrics.unchanged.inc({ transition: event.transition }, event.count);
      return;
    case 'reconciled':
      metrics.reconciled.inc(event.count);
      return;
    case 'storeDown':
      metrics.storeOutages.inc({ stage: event.stage });
      return;
    default:
      countMessage(metrics, event);
  }
}

function countMessage(metrics: Metrics, event: JobEvent): void {
  if (event.type === 'refused') metrics.refused.inc({ queue: event.queue });
  if (event.type === 'redelivered') metrics.redelivered.inc({ queue: event.queue });
  if (event.type === 'attemptMismatch') metrics.mismatches.inc({ queue: event.queue });
}

function countAttempt(metrics: Metrics, event: Extract<JobEvent, { type: 'attempted' }>): void {
  const outcome = ATTEMPT_OUTCOMES[event.outcome];
  metrics.attempts.inc({ queue: event.queue, type: event.kind, outcome });
  metrics.run.observe({ type: event.kind, outcome }, event.durationMs / 1_000);
  if (event.errorClass !== undefined)
    metrics.failures.inc({ type: event.kind, error_class: event.errorClass });
}

/** The declared limits as gauges: Prometheus compares them with the rules made from the same declaration. */
export function exportLimits(registry: Registry, declaration: Declaration, vhost: string): void {
  // Limits and lifetimes are the same for every broker; only bindings and the place of a limit differ.
  const plan = planTopology(declaration, { version: '4.3.0', hasManagement: true });
  const registers = [registry];
  const labelNames = ['vhost', 'queue'];
  const maxLength = new Gauge({
    name: 'jobs_queue_max_length',
    help: 'Messages that the queue holds before it refuses, as declared',
    ...{ labelNames, registers },
  });
  const ttl = new Gauge({
    name: 'jobs_queue_ttl_seconds',
    help: 'Time to live in the queue, as declared',
    ...{ labelNames, registers },
  });
  const info = new Gauge({
    name: 'jobs_queue_info',
    help: 'Declared queues: role main, wait or dlq; tier from 1 for a wait queue, else 0',
    labelNames: [...labelNames, 'role', 'tier'],
    registers,
  });
  for (const queue of plan.queues) {
    const labels = { vhost, queue: queue.name };
    info.set({ ...labels, role: queue.role, tier: String(queue.tier) }, 1);
    if (queue.maxLength !== undefined) maxLength.set(labels, queue.maxLength);
    if (queue.ttlMs !== undefined) ttl.set(labels, queue.ttlMs / 1_000);
  }
}

/** @param inFlightCount read at each scrape. */
export function exportInFlight(registry: Registry, inFlightCount: () => number): void {
  new Gauge({
    name: 'jobs_in_flight',
    help: 'Deliveries that are not settled yet',
    registers: [registry],
    collect() {
      this.set(inFlightCount());
    },
  });
}
