/** Job and session events → log lines, field by field: an event may carry whole records, a line never does. */
import type { JobEvent } from '@fit/jobs';
import type { SessionEvent } from '@fit/topology/amqp';
import { traceLogFields } from './logContext.ts';
import type { Log } from './openLog.ts';

type EventOf<Type extends JobEvent['type']> = Extract<JobEvent, { type: Type }>;

/** A line names this many of the jobs that it is about; the page of dead jobs has all. */
const JOBS_NAMED = 10;

/** A job's change of state is a line at debug; what an operator must know of is one above it, for all jobs together. */
export function logJobEvent(log: Log, event: JobEvent): void {
  switch (event.type) {
    case 'storeDown':
      log.error({ stage: event.stage, err: event.error }, 'store is out: paused, nothing is lost');
      return;
    case 'stageFailed':
      log.error(
        { stage: event.stage, err: event.error },
        'a stage failed, and not for an outage: the database refuses a write, or it is a defect; it is set aside or tried again, and the others go on',
      );
      return;
    case 'published':
      logPublished(log, event);
      return;
    case 'attempted':
      logAttempt(log, event);
      return;
    case 'refused':
      log.warn(
        { queue: event.queue, reason: event.reason },
        'message is no job; it goes to the dead-letter queue',
      );
      return;
    case 'circuitBreaker':
      logBreaker(log, event);
      return;
    case 'deadLettered':
      logDeadLettered(log, event);
      return;
    case 'reconciled':
      log.warn({ count: event.count }, 'broker had lost jobs; they are published again');
      return;
    default:
      logOther(log, event);
  }
}

/** Payloads are in the records that come along, and stay there. */
function logPublished(log: Log, { queue, result, count, jobs }: EventOf<'published'>): void {
  if (result !== 'confirmed')
    log.warn(
      { queue, outcome: result, count },
      'broker would not take jobs; they stay pending and are offered again',
    );
  if (!log.isLevelEnabled('debug')) return;
  const state = result === 'confirmed' ? 'queued' : 'pending';
  for (const { _id: job_id, runIds, traceparent } of jobs)
    log.debug(
      { job_id, run_id: runIds[0], queue, outcome: result, state, ...traceLogFields(traceparent) },
      'published',
    );
}

function logAttempt(log: Log, event: EventOf<'attempted'>): void {
  if (!log.isLevelEnabled('debug')) return;
  log.debug(
    {
      job_id: event.jobId,
      run_id: event.runId,
      attempt: event.attempt,
      queue: event.queue,
      outcome: event.outcome,
      state: event.state,
      duration_ms: event.durationMs,
      delay_ms: event.delayMs,
      error_class: event.errorClass,
      ...traceLogFields(event.traceparent),
    },
    'attempted',
  );
}

function logDeadLettered(log: Log, { kind, cause, count, ends }: EventOf<'deadLettered'>): void {
  const job_ids = ends.flatMap(({ jobId }) => jobId ?? []).slice(0, JOBS_NAMED);
  log.warn({ kind, cause, count, job_ids }, 'jobs died; they can be replayed');
  if (!log.isLevelEnabled('debug')) return;
  for (const { jobId: job_id } of ends)
    if (job_id !== undefined) log.debug({ job_id, kind, cause, state: 'dead' }, 'deadLettered');
}

function logBreaker(log: Log, { queue, state }: EventOf<'circuitBreaker'>): void {
  const fields = { queue, state: state.type };
  if (state.type === 'open')
    log.warn(
      { ...fields, pause_ms: state.pauseMs },
      'most attempts fail alike: paused, and the rest of the jobs keep their attempts',
    );
  else log.info(fields, 'circuitBreaker');
}

type OtherEvent = Exclude<
  JobEvent,
  EventOf<
    | 'storeDown'
    | 'stageFailed'
    | 'published'
    | 'attempted'
    | 'refused'
    | 'circuitBreaker'
    | 'deadLettered'
    | 'reconciled'
  >
>;

const STEADY: ReadonlySet<JobEvent['type']> = new Set(['finished', 'redelivered', 'roundEnded']);

/** The steady stream stays at debug; what happens now and then is worth a line. */
function logOther(log: Log, event: OtherEvent): void {
  // `ends` tell of each single job, and a batch holds hundreds.
  const { type, ...fields } = { ...event, ends: undefined };
  log[STEADY.has(type) ? 'debug' : 'info'](fields, type);
}

export function logSessionEvent(log: Log, event: SessionEvent): void {
  if (event.type === 'connected') log.debug('broker connected');
  else if ('error' in event) log.warn({ err: event.error }, `broker ${event.type}`);
  else log.warn(event, `broker ${event.type}`);
}
