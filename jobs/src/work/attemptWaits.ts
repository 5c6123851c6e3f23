/** The waits before and after an attempt: in a wait queue and the main queue before it, in the next wait queue after it. */
import {
  eligibleAtMs,
  type Headers,
  type KindDeclaration,
  readDeaths,
  type SettledAttempt,
  waitQueue,
} from '@fit/topology';
import { PUBLISHED_AT_HEADER } from '../record/jobMessage.ts';

/** The waits before and after an attempt that ended. */
export interface AttemptWaits {
  /** From eligible to delivered, in milliseconds, never negative; undefined where the headers do not have the time. */
  readonly queueWaitMs: number | undefined;
  /** The wait after the attempt, in milliseconds; undefined where no wait follows. */
  readonly delayMs: number | undefined;
  /** The wait queue of that wait; undefined with the native back end, where the message waits in the main queue. */
  readonly waitQueue: string | undefined;
}

/** @param receivedAtMs when the delivery arrived, by the database's clock, as the relay's time of the publish is. */
export function attemptWaits(
  kind: KindDeclaration,
  end: Pick<SettledAttempt<unknown>, 'attempt' | 'message' | 'waitMs' | 'waitQueue'>,
  receivedAtMs: number,
): AttemptWaits {
  const { attempt, message, waitMs: delayMs, waitQueue: nextQueue } = end;
  const { headers, publishedAtSeconds } = message;
  const eligibleMs = eligibleAtMs(kind, {
    attempt: attempt.number,
    headers,
    publishedAtMs:
      millisecondsIn(headers[PUBLISHED_AT_HEADER]) ??
      (publishedAtSeconds && publishedAtSeconds * 1_000),
  });
  return {
    queueWaitMs: eligibleMs === undefined ? undefined : Math.max(0, receivedAtMs - eligibleMs),
    delayMs,
    waitQueue: nextQueue,
  };
}

/** @returns the time in a header; undefined where it is none, because any publisher can write any value. */
function millisecondsIn(header: unknown): number | undefined {
  const milliseconds = typeof header === 'string' && header !== '' ? Number(header) : Number.NaN;
  return Number.isFinite(milliseconds) ? milliseconds : undefined;
}

/** The wait of a message in a wait queue before its delivery. */
export interface TierWait {
  readonly queue: string;
  /** Counted from 1. */
  readonly tier: number;
  readonly ttlMs: number;
  readonly startedAt: Date;
  readonly endedAt: Date;
}

const SECOND_MS = 1_000;
const MAX_TIME_MS = 8.64e15 - SECOND_MS;

/**
 * Computes the wait before an attempt. The broker records the second in which the message left its wait queue, so the end is
 * known to less than a second. Of several rejections by the main queue the broker stores only the time of the first
 * (measured, 4.3.6), so the start is computed as the end minus the tier's TTL.
 * @param attemptNumber counted from 1.
 * @returns undefined for a first attempt, for native retry (which waits in the main queue), and where the headers have no
 * record of the wait.
 */
export function tierWaitBefore(
  kind: KindDeclaration,
  attemptNumber: number,
  { headers, deliveredAt }: { readonly headers: Headers; readonly deliveredAt: Date },
): TierWait | undefined {
  const tier = attemptNumber - 1;
  const ttlMs = kind.tiersMs[tier - 1];
  if (ttlMs === undefined) return undefined;
  const queue = waitQueue(kind, tier);
  const expiry = readDeaths(headers).find(
    (death) => death.queue === queue && death.reason === 'expired',
  );
  const earliestMs = expiry?.firstAtMs ?? Number.NaN;
  // Any client can write a time that no Date can hold.
  if (!(earliestMs > 0 && earliestMs < MAX_TIME_MS)) return undefined;
  const latestMs = earliestMs + SECOND_MS - 1;
  const endMs = Math.min(Math.max(deliveredAt.getTime(), earliestMs), latestMs);
  return { queue, tier, ttlMs, startedAt: new Date(endMs - ttlMs), endedAt: new Date(endMs) };
}
