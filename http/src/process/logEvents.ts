/** Job and session events → JSON log lines. Payloads are never logged. */
import type { JobEvent } from '@fit/jobs';
import type { SessionEvent } from '@fit/topology/amqp';
import { type Logger, pino } from 'pino';
import { logFields } from './logContext.ts';

export type Log = Logger;

const STEADY: ReadonlySet<JobEvent['type']> = new Set([
  'attempted',
  'finished',
  'redelivered',
  'roundEnded',
]);

/** One JSON line per entry on standard output; `LOG_LEVEL` sets the least level, default info. */
export function openLog(service: string): Log {
  return pino({
    level: process.env['LOG_LEVEL'] ?? 'info',
    base: { service, pid: process.pid },
    mixin: logFields,
  });
}

/** Single attempts are metrics; what an operator must know of is a line. */
export function logJobEvent(log: Log, event: JobEvent): void {
  switch (event.type) {
    case 'storeDown':
      log.error({ stage: event.stage, err: event.error }, 'store is out: paused, nothing is lost');
      return;
    case 'published':
      if (event.result !== 'confirmed')
        log.warn(event, 'broker would not take jobs; they stay pending and are offered again');
      return;
    case 'refused':
      log.warn(event, 'message is no job; it goes to the dead-letter queue');
      return;
    case 'breaker':
      if (event.state.type === 'open')
        log.warn(
          event,
          'most attempts fail alike: paused, and the rest of the jobs keep their attempts',
        );
      else log.info(event, 'breaker');
      return;
    case 'buried':
      log.warn(told(event), 'jobs died; they can be replayed');
      return;
    case 'reconciled':
      log.warn(event, 'broker had lost jobs; they are published again');
      return;
    default:
      // The steady stream stays at debug; what happens now and then is worth a line.
      log[STEADY.has(event.type) ? 'debug' : 'info'](told(event), event.type);
  }
}

/** Without what is told of each single job: a batch holds hundreds. */
function told(event: JobEvent): object {
  return 'ends' in event ? { ...event, ends: undefined } : event;
}

export function logSessionEvent(log: Log, event: SessionEvent): void {
  if (event.type === 'connected') log.debug('broker connected');
  else if ('error' in event) log.warn({ err: event.error.message }, `broker ${event.type}`);
  else log.warn(event, `broker ${event.type}`);
}
