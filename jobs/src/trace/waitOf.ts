/** How long a message lay in the wait queue that it comes from, as its headers tell. Pure. */
import { type Headers, type KindDeclaration, waitQueue } from '@fit/topology';

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
  const expiredSecond = expirySecond(headers, queue);
  if (expiredSecond === undefined) return undefined;
  const earliest = expiredSecond * SECOND_MS;
  const latest = earliest + SECOND_MS - 1;
  const end = Math.min(Math.max(deliveredAt.getTime(), earliest), latest);
  return { queue, tier, ttlMs, startedAt: new Date(end - ttlMs), endedAt: new Date(end) };
}

function expirySecond(headers: Headers, queue: string): number | undefined {
  const records: unknown = headers['x-death'];
  if (!Array.isArray(records)) return undefined;
  for (const record of records.slice(0, 64) as unknown[]) {
    if (typeof record !== 'object' || record === null) continue;
    const death = record as Record<string, unknown>;
    if (death['queue'] === queue && death['reason'] === 'expired') return secondOf(death['time']);
  }
  return undefined;
}

/** amqplib reads an AMQP timestamp as `{ '!': 'timestamp', value }`. */
function secondOf(time: unknown): number | undefined {
  const value: unknown =
    typeof time === 'object' && time !== null && 'value' in time ? time.value : time;
  return typeof value === 'number' && value > 0 && value < 8.64e12 ? value : undefined;
}
