/**
 * Writes log lines for jobs, broker connections and requests. Each line names its fields one by one, because an event may carry whole
 * records with payloads, which must not reach the log.
 */
import type { JobEvent } from '@fit/jobs';
import type { TopologyEvent } from '@fit/topology';
import { type CompletedRequest, PROBES } from '../server/observeRequest.ts';
import type { WrongTokenBurst } from '../server/wrongTokens.ts';
import { traceLogFields } from './logContext.ts';
import type { Log } from './openLog.ts';

type EventOf<Type extends JobEvent['type']> = Extract<JobEvent, { type: Type }>;

/** A line about many jobs names at most this many of them; GET /jobs lists all. */
const NAMED_JOBS_LIMIT = 10;

/** Logs the state change of a single job at debug, and what an operator must know at info or above, one line for all jobs together. */
export function logJobEvent(log: Log, event: JobEvent): void {
  switch (event.type) {
    case 'storeDown':
      log.error(
        { stage: event.stage, err: event.error },
        'the database is unavailable: this stage pauses and continues when the database answers; no job is lost',
      );
      return;
    case 'stageFailed':
      log.error(
        { stage: event.stage, err: event.error },
        'a stage failed although the database is available: the document was refused or the stage has a defect; it is set aside or tried again, and other jobs are not affected',
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
        'a message was refused before an attempt and goes to the dead-letter queue',
      );
      return;
    case 'circuitBreaker':
      logCircuitBreaker(log, event);
      return;
    case 'deadLettered':
      logDeadLettered(log, event);
      return;
    case 'reconciled':
      log.warn(
        { count: event.count },
        'jobs were stale, so the broker may have lost them; they are pending again and will be published',
      );
      return;
    case 'priorityUnknown':
      log.warn(
        { kind: event.kind, priority: event.priority, count: event.count },
        'the kind does not declare this priority of stored jobs any more: they were published with the default one',
      );
      return;
    case 'finished':
      // `ends` holds one entry for each job, and a batch has hundreds.
      log.debug({ kind: event.kind, count: event.count }, 'finished');
      return;
    case 'redelivered':
    case 'roundEnded': {
      const { type, ...fields } = event;
      log.debug(fields, type);
      return;
    }
    default: {
      const { type, ...fields } = event;
      log.info(fields, type);
    }
  }
}

/** The event carries records; only these fields of them are logged. */
function logPublished(log: Log, { queue, result, count, jobs }: EventOf<'published'>): void {
  if (result !== 'confirmed')
    log.warn(
      { queue, outcome: result, count },
      'the broker did not confirm jobs; they stay pending and are published again',
    );
  if (!log.isLevelEnabled('debug')) return;
  const state = result === 'confirmed' ? 'queued' : 'pending';
  for (const { _id: job_id, runId: run_id, traceparent } of jobs)
    log.debug(
      { job_id, run_id, queue, outcome: result, state, ...traceLogFields(traceparent) },
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
  const job_ids = ends.flatMap(({ jobId }) => jobId ?? []).slice(0, NAMED_JOBS_LIMIT);
  log.warn({ kind, cause, count, job_ids }, 'jobs died; npm run replay makes them pending again');
  if (!log.isLevelEnabled('debug')) return;
  for (const { jobId: job_id } of ends)
    if (job_id !== undefined) log.debug({ job_id, kind, cause, state: 'dead' }, 'deadLettered');
}

function logCircuitBreaker(log: Log, { queue, state }: EventOf<'circuitBreaker'>): void {
  const fields = { queue, state: state.type };
  if (state.type === 'open')
    log.warn(
      { ...fields, pause_ms: state.pauseMs },
      'most attempts fail with the same error, so the worker pauses; jobs that wait keep their attempts',
    );
  else log.info(fields, 'circuitBreaker');
}

/** Logs what happens to the connections and to the topology; attempts and publishes are events of jobs. */
export function logBrokerEvent(log: Log, event: TopologyEvent): void {
  switch (event.type) {
    case 'connected':
      log.debug({ purpose: event.purpose }, 'broker connected');
      return;
    case 'disconnected':
    case 'connectFailed':
    case 'channelFailed':
      log.warn({ err: event.error, purpose: event.purpose }, `broker ${event.type}`);
      return;
    case 'blocked':
    case 'unblocked':
      log.warn(event, `broker ${event.type}`);
      return;
    case 'warning':
      log.warn({ code: event.code, subject: event.subject }, event.remedy);
      return;
    default:
  }
}

/** @returns a listener that logs each request and then calls `next`. A probe is logged at debug unless it fails. */
export function logRequests(log: Log, next: (request: CompletedRequest) => void) {
  return (request: CompletedRequest): void => {
    const { method, route, status, durationMs } = request;
    // Requests that `logWrongTokens` reports as one burst are not logged one by one.
    const isQuiet = status === 429 || (status < 400 && PROBES.has(route));
    log[isQuiet ? 'debug' : 'info'](
      { method, route, status, duration_ms: Math.round(durationMs) },
      'request',
    );
    next(request);
  };
}

/** @returns a listener that logs one line for a burst, without the tokens. */
export function logWrongTokens(log: Log) {
  return ({ address, count }: WrongTokenBurst): void => {
    log.warn({ address, count }, 'wrong tokens: this address is answered with 429 for a minute');
  };
}

/** @returns a listener that logs an error that the answer does not show; the line has the id of the request. */
export function logDefect(log: Log) {
  return (error: unknown, path: string): void => {
    log.error({ err: error, path }, 'request failed');
  };
}
