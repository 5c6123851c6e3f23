/** Waiting for what another program does: polled, with a deadline that tells the state. */
import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Default 10,000 ms. */
  readonly deadlineMs?: number;
  /** From the end of one probe to the next; default 25 ms. Longer where a probe costs the servers something. */
  readonly intervalMs?: number;
  /** What was waited for, and how things stand instead; asked at the deadline only. */
  readonly describe: () => string | Promise<string>;
}

/**
 * Asks until the answer is neither false nor undefined. A probe that throws counts as not yet.
 * @returns that answer.
 * @throws Error with the description, and the last probe's error as its cause.
 */
export async function eventually<Answer>(
  probe: () => Answer | false | undefined | Promise<Answer | false | undefined>,
  options: EventuallyOptions,
): Promise<Exclude<Answer, false | undefined>> {
  const deadlineMs = options.deadlineMs ?? 10_000;
  const intervalMs = options.intervalMs ?? 25;
  const end = Date.now() + deadlineMs;
  let cause: unknown;
  do {
    try {
      const answer = await probe();
      if (answer !== false && answer !== undefined)
        return answer as Exclude<Answer, false | undefined>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await delay(intervalMs);
  } while (Date.now() < end);
  const state = await options.describe();
  throw new Error(`not within ${deadlineMs} ms: ${state}`, { cause });
}
