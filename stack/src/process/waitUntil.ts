/** Waiting for a condition with a bound: polled, because what we wait for is another program. */
import { setTimeout as delay } from 'node:timers/promises';

const POLL_INTERVAL_MS = 50;

/**
 * One attempt may hang (a server that accepts and says nothing), so each has a bound of its own.
 */
const ATTEMPT_LIMIT_MS = 5000;

export interface WaitOptions {
  /** Milliseconds until the wait gives up. */
  readonly deadlineMs: number;
  /** Asked between attempts; true ends the wait early, unfulfilled. */
  readonly abandoned?: () => boolean;
}

/**
 * Polls until the condition holds. An attempt that throws counts as not yet.
 * @returns true when it held, false when the deadline passed or the wait was abandoned.
 */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  options: WaitOptions,
): Promise<boolean> {
  const end = Date.now() + options.deadlineMs;
  while (Date.now() < end && options.abandoned?.() !== true) {
    if (await attempt(condition)) return true;
    await delay(POLL_INTERVAL_MS);
  }
  return false;
}

async function attempt(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  const tooLong = new AbortController();
  try {
    return await Promise.race([
      Promise.resolve(condition()),
      delay(ATTEMPT_LIMIT_MS, false, { signal: tooLong.signal }),
    ]);
  } catch {
    return false;
  } finally {
    tooLong.abort();
  }
}
