/** Ctrl-C in a campaign or a bench: neither its servers nor what they wrote is left. */
import { onStopSignal } from '../process/onStopSignal.ts';
import type { Stack } from './stack.ts';

const INTERRUPTED = 130;
const stacks = new Set<Stack>();

/**
 * On SIGINT, SIGTERM or SIGHUP the stack is stopped, its folder removed, and the process ended with exit code 130. What the
 * process was about is not waited for; its other children die with it (`startChild`).
 */
export function endOnSignal(stack: Stack): void {
  if (stacks.size === 0) onStopSignal(end);
  stacks.add(stack);
}

/** A stack that was stopped before answers at once, and so does one that is being stopped. */
function end(signal: NodeJS.Signals): void {
  process.stderr.write(`${signal}: stopping, and removing what was made\n`);
  const stops = [...stacks].map((stack) => stack.stop({ purge: true }));
  void Promise.allSettled(stops).then(() => process.exit(INTERRUPTED));
}
