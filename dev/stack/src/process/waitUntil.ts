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
  /** Aborted: the wait ends at once, unfulfilled, even in the middle of an attempt. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Polls until the condition holds. An attempt that throws counts as not yet.
 * @returns true when it held, false when the deadline passed or the wait was abandoned.
 */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  options: WaitOptions,
): Promise<boolean> {
  const { signal } = options;
  const end = performance.now() + options.deadlineMs;
  while (performance.now() < end && options.abandoned?.() !== true && signal?.aborted !== true) {
    if (await attempt(condition, signal)) return true;
    await delay(POLL_INTERVAL_MS, undefined, signal === undefined ? {} : { signal }).catch(
      () => undefined,
    );
  }
  return false;
}

async function attempt(
  condition: () => boolean | Promise<boolean>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const tooLong = new AbortController();
  const limit = signal === undefined ? tooLong.signal : AbortSignal.any([tooLong.signal, signal]);
  try {
    return await Promise.race([
      Promise.resolve(condition()),
      delay(ATTEMPT_LIMIT_MS, false, { signal: limit }),
    ]);
  } catch {
    return false;
  } finally {
    tooLong.abort();
  }
}
