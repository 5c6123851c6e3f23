/** A count from the command line. Pure. */

/** The command was called wrongly; the message says how. */
export class UsageError extends Error {}

/** @throws UsageError where the text is no whole number of at least 1; `Number('')` would pass as 0 and measure nothing. */
export function readCount(option: string, text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new UsageError(`--${option} '${text}' must be a whole number of at least 1`);
}
