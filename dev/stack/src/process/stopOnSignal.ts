/** Stop signals of the terminal, and the exit codes of the commands that they end. */
import { messageOf, StackError } from '../stackError.ts';

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * A terminal sends Ctrl-C to npm and to the program that npm started, and npm forwards its own copy. Signals within
 * this time of the first one are therefore the same request.
 */
const SAME_REQUEST_MS = 500;

/** Exit code of a command that a stop signal ended. */
export const INTERRUPTED_EXIT_CODE = 130;

/**
 * Turns stop signals into an abort signal; listens from the call on.
 * @param killAll called at a second request; it ends at once whatever the program started. The process then exits with
 * code 130. A third request exits without waiting for it.
 * @returns a signal that is aborted at the first request, with a StackError `STOPPED` as its reason.
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
      process.exit(INTERRUPTED_EXIT_CODE);
    } else {
      isKilling = true;
      process.stderr.write(`${signal} again: killing everything\n`);
      void killAll()
        .catch((error: unknown) => {
          process.stderr.write(`${messageOf(error)}\n`);
        })
        .finally(() => process.exit(INTERRUPTED_EXIT_CODE));
    }
  };
  for (const signal of STOP_SIGNALS) process.on(signal, handle);
  return stopping.signal;
}

/** A closed terminal fails every write, and an unhandled error event would end the process before everything is stopped. */
function ignoreClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

/**
 * @returns true for an error of `parseArgs` about a wrong option, whose message is meant for the person who typed it.
 * Every other error of Node is a defect, which needs its stack trace.
 */
export function isOptionError(error: unknown): error is Error {
  return (
    error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  );
}
