/** How long a message lay in the wait queue that it comes from, as its headers tell. Pure. */
import { type Headers, type KindDeclaration, readDeaths, waitQueue } from '@fit/topology';

export interface Wait {
  readonly queue: string;
  /** Counted from 1. */
  readonly tier: number;
  readonly ttlMs: number;
  readonly startedAt: Date;
  readonly endedAt: Date;
}

const SECOND_MS = 1_000;

/**
 * The broker writes the second in which the message left its tier (`time` of the `x-death` record of that queue, reason
 * expired); it came here no earlier and was delivered no later, which leaves the end known to under a second, mostly far
 * better. Of several rejections by the main queue the broker keeps the time of the first alone (measured, 4.3.6), so
 * the start is the end less the tier's lifetime.
 * @param attemptNumber counted from 1.
 * @returns undefined for a first attempt, for native retry (which waits inside the main queue), and where the headers
 * do not tell.
 */
export function waitOf(
  kind: KindDeclaration,
  attemptNumber: number,
  { headers, deliveredAt }: { readonly headers: Headers; readonly deliveredAt: Date },
): Wait | undefined {
  const tier = attemptNumber - 1;
  const ttlMs = kind.tiersMs[tier - 1];
  if (ttlMs === undefined) return undefined;
  const queue = waitQueue(kind, tier);
  const expiry = readDeaths(headers).find(
    (death) => death.queue === queue && death.reason === 'expired',
  );
  const earliest = expiry?.firstAtMs;
  if (earliest === undefined) return undefined;
  const latest = earliest + SECOND_MS - 1;
  const end = Math.min(Math.max(deliveredAt.getTime(), earliest), latest);
  return { queue, tier, ttlMs, startedAt: new Date(end - ttlMs), endedAt: new Date(end) };
}
