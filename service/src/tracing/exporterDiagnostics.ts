/** Turns the warnings of the OpenTelemetry SDK into one log line a minute, whatever the number of failed exports. */
import type { DiagLogger } from '@opentelemetry/api';

const LINE_INTERVAL_MS = 60_000;
const REASON_LIMIT_CHARS = 200;

/** A log, or its replacement in a command. */
export interface WarningLog {
  warn(fields: object, message: string): void;
}

/** @param now milliseconds; default `Date.now`. */
export function exporterDiagnostics(log: WarningLog, now: () => number = Date.now): DiagLogger {
  let count = 0;
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  const warn = (message: string): void => {
    count += 1;
    if (now() - loggedAtMs < LINE_INTERVAL_MS) return;
    loggedAtMs = now();
    log.warn(
      { count, reason: message.slice(0, REASON_LIMIT_CHARS) },
      'traces do not reach the collector: spans are dropped, jobs are not affected',
    );
  };
  const ignore = () => undefined;
  return { error: warn, warn, info: ignore, debug: ignore, verbose: ignore };
}
