/** Start, run, drain, stop of a process, alike for all: one reason printed, one exit code, a second signal ends at once. */
import { TopologyError } from '@fit/topology';
import type { Log } from './openLog.ts';

/** A part of the process that must be stopped; parts are stopped in reverse order. */
export interface ShutdownHook {
  /** Its name is logged when it does not stop in time. */
  readonly part: string;
  readonly stop: () => Promise<void> | void;
}

export interface ServiceOptions {
  /** Bound of a whole stop, all parts together, in milliseconds; default `STOP_DEADLINE_MS`. */
  readonly stopDeadlineMs?: number;
}

/**
 * Longer than the coach's drain of 20 s and the five seconds that a server waits for its answers; shorter than the 30 s after
 * which `npm start` kills its services, and the 45 s of docker-compose.yml.
 */
const STOP_DEADLINE_MS = 27_000;

/**
 * Exit codes: 0 after SIGTERM or SIGINT; 1 where the start failed, a promise was lost, a second signal came, or the stop did
 * not end within its deadline.
 * @param start composes the process; it pushes onto `shutdownHooks` as it goes, so that a failed start is undone too. `stopping`
 * is aborted by the first signal, before anything is undone: whoever asks from then on is told that it drains.
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
    log.info({ signal }, 'stopping: finishing what runs');
    process.exit((await stopAll(shutdownHooks, log, stopDeadlineMs)) ? 0 : 1);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
  try {
    await start(shutdownHooks, stopping.signal);
  } catch (error) {
    // A stop that came during the start closes what the start is using; the stop then ends the process.
    if (stopping.signal.aborted) return;
    if (error instanceof TopologyError) log.fatal({ faults: error.faults }, error.message);
    else log.fatal({ err: error }, error instanceof Error ? error.message : 'start failed');
    await stopAll(shutdownHooks, log, stopDeadlineMs);
    process.exit(1);
  }
}

/** @returns false where a part still ran at the deadline; it is named in the log, with those that were not reached. */
async function stopAll(
  shutdownHooks: readonly ShutdownHook[],
  log: Log,
  deadlineMs: number,
): Promise<boolean> {
  const left = shutdownHooks.map(({ part }) => part);
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      const [hung, ...others] = left.toReversed();
      log.fatal(
        { part: hung, not_stopped: others, deadline_ms: deadlineMs },
        `${hung ?? 'nothing'} did not stop within ${deadlineMs} ms of the whole stop; the process ends without it`,
      );
      resolve(false);
    }, deadlineMs);
  });
  const stopped = (async () => {
    for (const { part, stop } of shutdownHooks.toReversed()) {
      try {
        await stop();
      } catch (error) {
        log.error({ err: error, part }, 'a part did not stop cleanly');
      }
      left.pop();
    }
    return true;
  })();
  try {
    return await Promise.race([stopped, overdue]);
  } finally {
    clearTimeout(timer);
  }
}
