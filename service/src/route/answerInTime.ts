/** Ends a wait for the database early, because its statements may take longer than a caller waits. */
import { StoreUnavailable } from '@fit/jobs';
import pTimeout from 'p-timeout';
import { Problem } from './problem.ts';
import { STORE_UNAVAILABLE } from './sharedProblems.ts';

/** A request waits at most this long, in milliseconds. */
const ANSWER_MS = 2_000;
const RETRY_AFTER_SECONDS = 5;

export interface OutageText {
  readonly title: string;
  /** What the client should do; default: that of `STORE_UNAVAILABLE`. */
  readonly detail?: string;
}

/**
 * @param ask sends statements to the database; they go on after the wait, so their effect is unknown.
 * @throws Problem 503 `store_unavailable` with this text where the database does not answer in time; what `ask` throws otherwise.
 */
export async function answerInTime<Answer>(
  ask: () => Promise<Answer>,
  text: OutageText,
): Promise<Answer> {
  const timeout = new StoreUnavailable('outage', new Error('no answer in time'));
  try {
    return await pTimeout(ask(), { milliseconds: ANSWER_MS, message: timeout });
  } catch (error) {
    if (!(error instanceof StoreUnavailable) || error.reason === 'contention') throw error;
    throw new Problem({ ...STORE_UNAVAILABLE, ...text, retryAfterSeconds: RETRY_AFTER_SECONDS });
  }
}
