/** Since when a message could have been delivered: what came before was its publish, or a wait of its own. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import { waitQueue } from '../plan/names.ts';
import { type Headers, readDeaths } from './attempt.ts';

/** Of letters that the desk replays, in milliseconds since 1970. */
export const REPLAYED_AT_HEADER = 'replay-at';

/** What is known of a delivery. */
export interface Arrival {
  /** Counted from 1. */
  readonly attempt: number;
  readonly headers: Headers;
  /** Milliseconds; undefined where the publisher put no stamp on it. */
  readonly publishedAtMs: number | undefined;
}

/**
 * A retry keeps the stamp of its publish, so it is told by the broker's record of the wait that it has just left, which
 * is in whole seconds. One that was published again behind its spent tiers has no such record, and is as new.
 * @returns milliseconds; undefined where it cannot be told: no stamp, or the native back end, which records no waits.
 */
export function eligibleAtMs(
  kind: Pick<KindDeclaration, 'key' | 'queue' | 'tiersMs' | 'backend'>,
  { attempt, headers, publishedAtMs }: Arrival,
): number | undefined {
  if (attempt === 1) return sentAtMs(headers, publishedAtMs);
  if (kind.backend === 'native') return undefined;
  return expiredAtMs(waitQueue(kind, attempt - 1), headers) ?? sentAtMs(headers, publishedAtMs);
}

/** A letter that the desk replays keeps the stamp of its sender; its days in the dead-letter queue were no wait for a worker. */
function sentAtMs(headers: Headers, publishedAtMs: number | undefined): number | undefined {
  const replayedAtMs = headers[REPLAYED_AT_HEADER];
  if (typeof replayedAtMs !== 'number' || !Number.isFinite(replayedAtMs)) return publishedAtMs;
  return Math.max(replayedAtMs, publishedAtMs ?? replayedAtMs);
}

function expiredAtMs(queue: string, headers: Headers): number | undefined {
  return readDeaths(headers).find((death) => death.queue === queue && death.reason === 'expired')
    ?.firstAtMs;
}
