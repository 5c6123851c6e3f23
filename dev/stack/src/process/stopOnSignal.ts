/** The signals that ask a program of the terminal to stop. */
import { StackError } from '../stackError.ts';

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * A terminal sends Ctrl-C to npm and to what npm started, and npm passes on its own copy: what arrives within this time
 * of the first signal is the same request.
 */
const SAME_REQUEST_MS = 500;

const INTERRUPTED = 130;

/**
 * Turns stop signals into an abort signal, from the first signal of this process on.
 * @param killAll called at a second request: ends at once whatever the program started. The process then exits with
 * code 130, and a third request does not wait for it.
 * @returns aborted at the first request, with a StackError `STOPPED` as its reason.
 */
export function stopOnSignal(killAll: () => Promise<unknown>): AbortSignal {
  const stopping = new AbortController();
  let firstAt = 0;
  let isKilling = false;
  const handle = (signal: NodeJS.Signals): void => {
    if (!stopping.signal.aborted) {
      firstAt = performance.now();
      ignoreClosedOutput();
      stopping.abort(new StackError('STOPPED', `stopped by ${signal}`));
    } else if (performance.now() - firstAt < SAME_REQUEST_MS) {
      return;
    } else if (isKilling) {
      process.exit(INTERRUPTED);
    } else {
      isKilling = true;
      process.stderr.write(`${signal} again: killing everything\n`);
      void killAll()
        .catch((error: unknown) => {
          process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
        })
        .finally(() => process.exit(INTERRUPTED));
    }
  };
  for (const signal of STOP_SIGNALS) process.on(signal, handle);
  return stopping.signal;
}

/** A closed terminal fails every write; an unheard error event would end the process before everything is stopped. */
function ignoreClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}
