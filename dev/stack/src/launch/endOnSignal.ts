/** Ctrl-C in a campaign or a bench: neither its servers nor what they wrote is left. */
import { rm } from 'node:fs/promises';
import { stopOnSignal } from '../process/stopOnSignal.ts';
import { StackError } from '../stackError.ts';
import type { Stack } from './stack.ts';
import { sweepFolder } from './sweepFolder.ts';

const INTERRUPTED = 130;
/** By folder; each was started, is starting, or failed to. */
const starts = new Map<string, Promise<Stack>>();
let stopping: AbortSignal | undefined;

/**
 * Starts a stack that a signal ends, also while it starts: it is stopped, its folder removed, and the process ended with
 * exit code 130. What the process was about is not waited for; its other children die with it (`startChild`).
 */
export async function endOnSignal(
  folder: string,
  start: (signal: AbortSignal) => Promise<Stack>,
): Promise<Stack> {
  stopping ??= listen();
  const stack = start(stopping);
  starts.set(folder, stack);
  return await stack;
}

function listen(): AbortSignal {
  const signal = stopOnSignal(() => Promise.all([...starts.keys()].map(sweepFolder)));
  signal.addEventListener('abort', () => {
    process.stderr.write('stopping, and removing what was made\n');
    const ends = [...starts].map(([folder, starting]) => end(folder, starting));
    void Promise.allSettled(ends).then(() => process.exit(INTERRUPTED));
  });
  return signal;
}

/** A stack that was stopped before answers at once, and so does one that is being stopped. */
async function end(folder: string, starting: Promise<Stack>): Promise<void> {
  try {
    await (await starting).stop({ purge: true });
  } catch (error) {
    const isOurs = error instanceof StackError && error.code === 'STOPPED';
    if (isOurs) await rm(folder, { recursive: true, force: true });
    if (error instanceof StackError && error.code === 'PROCESSES_LEFT')
      process.stderr.write(`${error.message}\n`);
  }
}
