/** A history of deaths that no broker wrote. */
import { type BrokerProfile, isAtLeast } from '../plan/brokerProfile.ts';
import type { Headers } from './attempt.ts';

/**
 * Before 4.0 the broker goes on with the x-death that a client sent, and one of another shape ends its dead-lettering: a
 * text in place of a count stops every quorum queue of a 3.10.8 for good (measured). So such a message must not be rejected.
 * @returns true where rejecting it would do that. From 4.0 on what clients send is ignored.
 */
export function hasForgedDeaths(broker: BrokerProfile, headers: Headers): boolean {
  const records = headers['x-death'];
  if (isAtLeast(broker, '4.0.0') || records === undefined) return false;
  return !Array.isArray(records) || !records.every(isRecord);
}

function isRecord(record: unknown): boolean {
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
