/** The broker's `x-death` header: one record for each queue and reason by which a message was dead-lettered. */
import { type BrokerProfile, isAtLeast } from '../plan/brokerProfile.ts';

/** Message headers as AMQP brought them: any client can have written anything. */
export type Headers = Readonly<Record<string, unknown>>;

/** One record of `x-death`: deaths in one queue for one reason. */
export interface DeathRecord {
  /** Queue in which the message died. */
  readonly queue: string;
  /** Why, in the broker's words: rejected, expired, maxlen, delivery_limit. */
  readonly reason: string;
  /** How often; 0 if the record has no finite number. */
  readonly count: number;
  /** Time of the first such death in milliseconds since 1970, to the second; undefined if the record has no readable time. */
  readonly firstAtMs: number | undefined;
  /** Routing keys of the message before this death; at most 16. */
  readonly routingKeys: readonly string[];
}

const RECORD_LIMIT = 64;
const KEY_LIMIT = 16;
/** The latest time that a Date can hold. A client can send any number as a timestamp. */
const LATEST_SECONDS = 8.64e12;

/** @returns at most 64 deaths, newest first as the broker writes them. Records that no broker writes are left out. */
export function readDeaths(headers: Headers): DeathRecord[] {
  const records: unknown = headers['x-death'];
  if (!Array.isArray(records)) return [];
  return records.slice(0, RECORD_LIMIT).flatMap((record: unknown) => {
    if (typeof record !== 'object' || record === null) return [];
    const { queue, reason, count, time, 'routing-keys': keys } = record as Headers;
    if (typeof queue !== 'string' || typeof reason !== 'string') return [];
    return [
      {
        queue,
        reason,
        count: typeof count === 'number' && Number.isFinite(count) ? count : 0,
        firstAtMs: timestampMs(time),
        routingKeys: textsIn(keys),
      },
    ];
  });
}

/** amqplib decodes an AMQP timestamp as `{ '!': 'timestamp', value: seconds }`. */
function timestampMs(time: unknown): number | undefined {
  const seconds: unknown =
    typeof time === 'object' && time !== null && 'value' in time ? time.value : undefined;
  const isTime = typeof seconds === 'number' && seconds > 0 && seconds < LATEST_SECONDS;
  return isTime ? seconds * 1_000 : undefined;
}

function textsIn(values: unknown): string[] {
  if (!Array.isArray(values)) return [];
  return values.slice(0, KEY_LIMIT).filter((value): value is string => typeof value === 'string');
}

/** @returns how often a consumer of that queue rejected the message, by the broker's count. */
export function rejectionCount(queue: string, headers: Headers): number {
  // A message has no such header before its first death, so most deliveries end here.
  if (headers['x-death'] === undefined) return 0;
  const rejections = readDeaths(headers).find(
    (death) => death.queue === queue && death.reason === 'rejected',
  );
  return rejections?.count ?? 0;
}

/** @returns the broker's count of returned deliveries (`x-delivery-count`); 0 if it set none. */
export function deliveryCount(headers: Headers): number {
  const count = headers['x-delivery-count'];
  return typeof count === 'number' && Number.isInteger(count) && count > 0 ? count : 0;
}

/**
 * Before 4.0 the broker continues an x-death that a client sent, and one of another shape ends its dead-lettering: a text
 * in place of a count stops every quorum queue of a 3.10.8 for good (measured). Such a message must not be rejected. From
 * 4.0 on the broker ignores what clients send.
 * @returns true if rejecting the message would do that.
 */
export function hasForgedDeaths(broker: BrokerProfile, headers: Headers): boolean {
  const records = headers['x-death'];
  if (records === undefined || isAtLeast(broker, '4.0.0')) return false;
  return !Array.isArray(records) || !records.every(isBrokerRecord);
}

function isBrokerRecord(record: unknown): boolean {
  if (typeof record !== 'object' || record === null) return false;
  const { queue, reason, exchange, count, time, 'routing-keys': keys } = record as Headers;
  return (
    [queue, reason, exchange].every((text) => typeof text === 'string') &&
    Number.isSafeInteger(count) &&
    Array.isArray(keys) &&
    keys.every((key) => typeof key === 'string') &&
    (time as { '!'?: unknown } | null)?.['!'] === 'timestamp'
  );
}
