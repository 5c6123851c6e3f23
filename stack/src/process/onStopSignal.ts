/** The signals that ask a program of the terminal to stop. */

/** Calls the listener at each of them: a terminal and npm may both send one. The process no longer ends by itself then. */
export function onStopSignal(listener: (signal: NodeJS.Signals) => void): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, listener);
}
