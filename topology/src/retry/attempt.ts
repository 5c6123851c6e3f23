/** Which attempt a delivery is: read from its routing key, because the broker chose that key at the last bounce. */

import type { KindDeclaration } from '../declaration/declareTopology.ts';
import { tierKey } from '../plan/names.ts';

/** One record of the broker's `x-death` header. */
export interface Death {
  readonly queue: string;
  readonly reason: string;
  readonly count: number;
}

export interface Attempt {
  /** Counted from 1. */
  readonly number: number;
  readonly isLast: boolean;
  /** The wait that a rejection now leads to; undefined on the last attempt. */
  readonly nextDelayMs: number | undefined;
  /** False where x-death counts other rejections than the key says. Lawful after a republish; count it. */
  readonly agreesWithDeaths: boolean;
}

/** @returns the attempt, or undefined where the key is none of this kind's: such a message is a stray. */
export function attemptOf(
  kind: KindDeclaration,
  routingKey: string,
  deaths: readonly Death[],
): Attempt | undefined {
  const tiers = kind.tiersMs.length;
  for (let tier = 0; tier <= tiers; tier += 1) {
    if (routingKey !== tierKey(kind, tier)) continue;
    const rejections = deaths.find(
      (death) => death.queue === kind.queue && death.reason === 'rejected',
    );
    return {
      number: tier + 1,
      isLast: tier === tiers,
      nextDelayMs: kind.tiersMs[tier],
      agreesWithDeaths: (rejections?.count ?? 0) === tier,
    };
  }
  return undefined;
}

/** Reads `x-death` defensively: a client can send anything under that name. */
export function readDeaths(headers: Readonly<Record<string, unknown>>): Death[] {
  const records: unknown = headers['x-death'];
  if (!Array.isArray(records)) return [];
  return records.slice(0, 64).flatMap((record: unknown) => {
    if (typeof record !== 'object' || record === null) return [];
    const { queue, reason, count } = record as Record<string, unknown>;
    return typeof queue === 'string' && typeof reason === 'string'
      ? [{ queue, reason, count: typeof count === 'number' ? count : 0 }]
      : [];
  });
}
