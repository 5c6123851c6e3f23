/** Start, run, drain, stop of a process, alike for all: one reason printed, one exit code, a second signal ends at once. */
import { ConfigError } from '@fit/contract';
import { TopologyError } from '@fit/topology';
import type { Log } from './openLog.ts';

/** Undone in reverse order. */
export type Stop = () => Promise<void>;

/**
 * Exit codes: 0 after SIGTERM or SIGINT, 1 where the start failed or a promise was lost.
 * @param start composes the process; it pushes onto `stops` as it goes, so that a failed start is undone too. `stopping`
 * is aborted by the first signal, before anything is undone: whoever asks from then on is told that it drains.
 */
export async function runService(
  log: Log,
  start: (stops: Stop[], stopping: AbortSignal) => Promise<void>,
): Promise<void> {
  const stops: Stop[] = [];
  const stopping = new AbortController();
  const stop = async (signal: string) => {
    if (stopping.signal.aborted) process.exit(1);
    stopping.abort();
    log.info({ signal }, 'stopping: finishing what runs');
    await undo(stops, log);
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
  try {
    await start(stops, stopping.signal);
  } catch (error) {
    if (error instanceof ConfigError) log.fatal({ findings: error.findings }, error.message);
    else if (error instanceof TopologyError) log.fatal({ faults: error.faults }, error.message);
    else log.fatal({ err: error }, error instanceof Error ? error.message : 'start failed');
    await undo(stops, log);
    process.exit(1);
  }
}

async function undo(stops: Stop[], log: Log): Promise<void> {
  for (const stop of stops.reverse())
    await stop().catch((error: unknown) => {
      log.error({ err: error }, 'a part did not stop cleanly');
    });
}
