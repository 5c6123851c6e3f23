/** Requests → log lines: one for each that ended, and what a defect was. */
import { type CompletedRequest, PROBES } from '../server/observeRequest.ts';
import type { WrongTokenBurst } from '../server/wrongTokens.ts';
import type { Log } from './openLog.ts';

/** @returns a listener that writes the line, and then tells the next one; a probe is worth it only where its answer is bad. */
export function logRequests(log: Log, next: (end: CompletedRequest) => void) {
  return (end: CompletedRequest): void => {
    const { method, route, status, durationMs } = end;
    // A burst of wrong tokens has its one line by logWrongTokens.
    const isQuiet = status === 429 || (status < 400 && PROBES.has(route));
    log[isQuiet ? 'debug' : 'info'](
      { method, route, status, duration_ms: wholeMs(durationMs) },
      'request',
    );
    next(end);
  };
}

/** One line for a burst; never the tokens. */
export function logWrongTokens(log: Log) {
  return ({ address, count }: WrongTokenBurst): void => {
    log.warn({ address, count }, 'wrong tokens: this address is answered with 429 for a minute');
  };
}

/** The answer says nothing of it; the request's id leads here. */
export function logDefect(log: Log) {
  return (error: unknown, path: string): void => {
    log.error({ err: error, path }, 'request failed');
  };
}

function wholeMs(durationMs: number): number {
  return Math.round(durationMs);
}
