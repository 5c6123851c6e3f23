/** Which attempt a delivery is: read from its routing key, because the broker chose that key at the last bounce. */

import type { KindDeclaration } from '../declaration/declareTopology.ts';
import { tierOfKey } from '../plan/names.ts';

/** One record of the broker's `x-death` header. */
export interface Death {
  readonly queue: string;
  readonly reason: string;
  readonly count: number;
  /** Time of the first such death, to the second; undefined where the record has no readable time. */
  readonly firstAtMs: number | undefined;
  /** Routing keys of the message before this death; at most 16. */
  readonly routingKeys: readonly string[];
}

/** Message headers as AMQP brought them: any client can have written anything. */
export type Headers = Readonly<Record<string, unknown>>;

/** Which try a delivery is, and what a failure would lead to. */
export interface Attempt {
  /** Counted from 1. */
  readonly number: number;
  readonly isLast: boolean;
  /** The wait that a rejection now leads to; undefined on the last attempt. */
  readonly nextDelayMs: number | undefined;
  /** False where x-death counts other rejections than the key says. Lawful after a republish; count it. */
  readonly agreesWithDeaths: boolean;
}

/** `auto` counts as tiers: take the kind from the plan, where it is resolved. */
type Ladder = Pick<KindDeclaration, 'key' | 'queue' | 'tiersMs' | 'backend'>;

/**
 * A key of a tier that is no longer declared is a last attempt: its waits were spent under the old declaration.
 * @returns the attempt, or undefined where the key is none of this kind's: such a message dies with the cause `unknown`.
 */
export function attemptOf(kind: Ladder, routingKey: string, headers: Headers): Attempt | undefined {
  const tier = tierOfKey(kind, routingKey);
  if (tier === undefined) return undefined;
  if (kind.backend === 'native')
    return attemptAfter(kind, Math.max(tier, deliveryCount(headers)), true);
  return attemptAfter(kind, tier, rejectionCount(kind.queue, headers) === tier);
}

/** @param spent attempts that are over. */
function attemptAfter(
  { tiersMs }: Pick<Ladder, 'tiersMs'>,
  spent: number,
  agreesWithDeaths: boolean,
): Attempt {
  const isLast = spent >= tiersMs.length;
  return { number: spent + 1, isLast, nextDelayMs: tiersMs[spent], agreesWithDeaths };
}

/** @returns how often a consumer of that queue rejected the message, as the broker counted it. */
export function rejectionCount(queue: string, headers: Headers): number {
  const rejections = readDeaths(headers).find(
    (death) => death.queue === queue && death.reason === 'rejected',
  );
  return rejections?.count ?? 0;
}

/** @returns the broker's count of returned deliveries; 0 where it set none. */
export function deliveryCount(headers: Headers): number {
  const count = headers['x-delivery-count'];
  return typeof count === 'number' && Number.isInteger(count) && count > 0 ? count : 0;
}

/** Reads `x-death` defensively: a client can send anything under that name. */
export function readDeaths(headers: Headers): Death[] {
  const records: unknown = headers['x-death'];
  if (!Array.isArray(records)) return [];
  return records.slice(0, 64).flatMap((record: unknown) => {
    if (typeof record !== 'object' || record === null) return [];
    const { queue, reason, count, time, ...rest } = record as Record<string, unknown>;
    if (typeof queue !== 'string' || typeof reason !== 'string') return [];
    const death: Death = {
      queue,
      reason,
      count: typeof count === 'number' && Number.isFinite(count) ? count : 0,
      firstAtMs: timestampMs(time),
      routingKeys: texts(rest['routing-keys']),
    };
    return [death];
  });
}

/** amqplib decodes an AMQP timestamp as `{'!': 'timestamp', value: seconds}`. */
function timestampMs(time: unknown): number | undefined {
  if (typeof time !== 'object' || time === null) return undefined;
  const seconds = (time as Record<string, unknown>)['value'];
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1_000 : undefined;
}

function texts(values: unknown): string[] {
  if (!Array.isArray(values)) return [];
  return values.slice(0, 16).filter((value): value is string => typeof value === 'string');
}
