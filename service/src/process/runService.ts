/** Starts a process and stops it in order: one logged reason, one exit code; a second signal ends it at once. */
import { TopologyError } from '@fit/topology';
import pTimeout from 'p-timeout';
import type { Log } from './openLog.ts';

/** Stops one part of the process. Hooks run in the reverse order of their registration. */
export interface ShutdownHook {
  /** The name of the part; it is logged when the part does not stop in time. */
  readonly part: string;
  readonly stop: () => Promise<void> | void;
}

export interface ServiceOptions {
  /** Bound of the whole stop, all parts together, in milliseconds; default `STOP_DEADLINE_MS`. */
  readonly stopDeadlineMs?: number;
}

/** The worker of a stopping process finishes running attempts for this long; unsettled messages then return to the queue. */
export const DRAIN_MS = 20_000;

/**
 * The drain, the 5 s in which a server finishes its answers, and a margin. Shorter than the 30 s after which `npm start` kills
 * its services, and than the 45 s of docker-compose.yml.
 */
const STOP_DEADLINE_MS = DRAIN_MS + 7_000;

/**
 * Exit codes: 0 after SIGTERM or SIGINT; 1 if the start failed, a promise was rejected without a handler, a second signal came, or
 * the stop took longer than its deadline.
 * @param start composes the process. It adds to `shutdownHooks` as it goes, so that a start that fails halfway is stopped too.
 * `stopping` is aborted by the first signal, before the first hook runs, so that /readyz answers `draining` from then on.
 */
export async function runService(
  log: Log,
  start: (shutdownHooks: ShutdownHook[], stopping: AbortSignal) => Promise<void>,
  { stopDeadlineMs = STOP_DEADLINE_MS }: ServiceOptions = {},
): Promise<void> {
  const shutdownHooks: ShutdownHook[] = [];
  const stopping = new AbortController();
  const stop = async (signal: string) => {
    if (stopping.signal.aborted) process.exit(1);
    stopping.abort();
    log.info({ signal }, 'stopping: running work is finished first');
    process.exit((await stopAll(shutdownHooks, log, stopDeadlineMs)) ? 0 : 1);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
  try {
    await start(shutdownHooks, stopping.signal);
  } catch (error) {
    // A stop during the start closes what the start is using. The error is then a consequence, and `stop` ends the process.
    if (stopping.signal.aborted) return;
    if (error instanceof TopologyError) log.fatal({ faults: error.faults }, error.message);
    else log.fatal({ err: error }, error instanceof Error ? error.message : 'the start failed');
    await stopAll(shutdownHooks, log, stopDeadlineMs);
    process.exit(1);
  }
}

/** @returns false if a part still ran at the deadline; the log names that part and the parts that were not reached. */
async function stopAll(
  shutdownHooks: readonly ShutdownHook[],
  log: Log,
  deadlineMs: number,
): Promise<boolean> {
  const remaining = shutdownHooks.map(({ part }) => part);
  const runHooks = async () => {
    for (const { part, stop } of shutdownHooks.toReversed()) {
      try {
        await stop();
      } catch (error) {
        log.error({ err: error, part }, 'a part of the process failed to stop cleanly');
      }
      remaining.pop();
    }
    return true;
  };
  return await pTimeout(runHooks(), {
    milliseconds: deadlineMs,
    fallback: () => {
      const [part, ...others] = remaining.toReversed();
      log.fatal(
        { part, not_stopped: others, deadline_ms: deadlineMs },
        `${part ?? 'nothing'} did not stop within ${deadlineMs} ms of the whole stop; the process ends without it`,
      );
      return false;
    },
  });
}
