/** What the SDK complains of → one log line a minute, whatever the number of failed batches. */
import type { DiagLogger } from '@opentelemetry/api';

const QUIET_MS = 60_000;
const REASON_LIMIT_CHARS = 200;

/** A log, or what stands for one in a command. */
export interface WarningLog {
  warn(fields: object, message: string): void;
}

export function exporterDiagnostics(log: WarningLog, now: () => number = Date.now): DiagLogger {
  let count = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  const complain = (message: string): void => {
    count += 1;
    if (now() - toldAt < QUIET_MS) return;
    toldAt = now();
    log.warn(
      { count, reason: message.slice(0, REASON_LIMIT_CHARS) },
      'traces do not reach their collector; spans are dropped, jobs are not touched',
    );
  };
  const ignore = () => undefined;
  return { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore };
}
