/** What tests use to wait, and to be independent of the time of day. */
import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Default 10,000 ms. */
  readonly deadlineMs?: number;
  /** From the end of one probe to the next; default 25 ms. Longer if a probe costs the servers something. */
  readonly intervalMs?: number;
  /** Says what was expected and what is the case instead; called at the deadline only. */
  readonly describe: () => string | Promise<string>;
}

/**
 * Polls until the answer is neither false nor undefined. A probe that throws counts as unanswered.
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

/** @returns a time zone where it is about noon now, so that the day does not change while a test runs. */
export function noonTimezone(now = new Date()): string {
  const eastHours = 12 - now.getUTCHours();
  // These names count hours west of Greenwich: Etc/GMT-5 is five hours ahead of it.
  if (eastHours === 0) return 'Etc/GMT';
  return eastHours > 0 ? `Etc/GMT-${eastHours}` : `Etc/GMT+${-eastHours}`;
}
