/** Waiting for another program: its state cannot be awaited, so it is polled, always with a deadline. */
import { setTimeout as delay } from 'node:timers/promises';

const POLL_INTERVAL_MS = 50;

/** Bounds one attempt: a server that accepts a connection and never answers must not stop the polling. */
const ATTEMPT_LIMIT_MS = 5_000;

export interface WaitOptions {
  /** Milliseconds until the wait gives up. */
  readonly deadlineMs: number;
  /** Called between attempts; true ends the wait early, unfulfilled. */
  readonly abandoned?: () => boolean;
  /** Ends the wait at once when it is aborted, unfulfilled, even during an attempt. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Polls until the condition holds. An attempt that throws counts as not fulfilled yet.
 * @returns true when the condition held, false when the deadline passed or the wait was abandoned.
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
  const ended = new AbortController();
  const limit = signal === undefined ? ended.signal : AbortSignal.any([ended.signal, signal]);
  try {
    return await Promise.race([
      Promise.resolve(condition()),
      delay(ATTEMPT_LIMIT_MS, false, { signal: limit }),
    ]);
  } catch {
    return false;
  } finally {
    ended.abort();
  }
}
