/** Since when a message could have been delivered: since its publish, or since it left its wait queue. */
import { waitQueuesOf } from '../plan/names.ts';
import type { RetriedKind } from './attempt.ts';
import { type Headers, readDeaths } from './xDeath.ts';

/** Header of a dead letter that was published again: milliseconds since 1970. */
export const REPLAYED_AT_HEADER = 'replay-at';

/** What is known of a delivery. */
export interface Arrival {
  /** Counted from 1. */
  readonly attempt: number;
  /** Headers as delivered. */
  readonly headers: Headers;
  /** Milliseconds since 1970; undefined if the publisher set no timestamp. */
  readonly publishedAtMs: number | undefined;
}

/**
 * A retry keeps the timestamp of its publish, so the x-death record of the wait queue that it left tells, in whole seconds. A
 * message that was published again after spent tiers has no such record, and counts from its publish.
 * @returns milliseconds since 1970; undefined without a timestamp, and with the native back end, which records no waits.
 */
export function eligibleAtMs(
  kind: RetriedKind,
  { attempt, headers, publishedAtMs }: Arrival,
): number | undefined {
  if (attempt === 1) return sentAtMs(headers, publishedAtMs);
  if (kind.backend === 'native') return undefined;
  const left = waitQueuesOf(kind, attempt - 1);
  // With jitter a message may have waited in two queues of its tier, of which it left one last.
  const leftAtMs = readDeaths(headers)
    .filter(({ queue, reason }) => left.includes(queue) && reason === 'expired')
    .flatMap(({ firstAtMs }) => firstAtMs ?? []);
  return leftAtMs.length === 0 ? sentAtMs(headers, publishedAtMs) : Math.max(...leftAtMs);
}

/** A republished dead letter keeps its sender's timestamp, but its time in the dead-letter queue was no wait for a worker. */
function sentAtMs(headers: Headers, publishedAtMs: number | undefined): number | undefined {
  const replayedAtMs = headers[REPLAYED_AT_HEADER];
  if (typeof replayedAtMs !== 'number' || !Number.isFinite(replayedAtMs)) return publishedAtMs;
  return Math.max(replayedAtMs, publishedAtMs ?? replayedAtMs);
}
