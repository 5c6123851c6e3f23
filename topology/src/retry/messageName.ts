/** The name of a delivered message, which is the public routing key of its first attempt. */
import { directKey, tierOfKey } from '../plan/names.ts';
import type { RetriedKind } from './attempt.ts';
import { type Headers, readDeaths } from './xDeath.ts';

/** What tells the name of a message. */
export interface NamedDelivery {
  /** Routing key as delivered. */
  readonly routingKey: string;
  /** AMQP `type`, which publishers of this library set. */
  readonly type: string | undefined;
  /** Headers as delivered. */
  readonly headers: Headers;
}

/**
 * The wait rewrites the routing key, so a later attempt has the name from the record that the broker wrote at the first
 * rejection, and a message that was published again, such as a replayed dead letter, from its AMQP `type`. What the broker
 * wrote counts more than what a publisher wrote, so that a message has one name at all attempts.
 * @returns undefined if nothing tells it.
 */
export function messageName(kind: RetriedKind, delivery: NamedDelivery): string | undefined {
  const { routingKey, type, headers } = delivery;
  if (isPublicKey(kind, routingKey)) return routingKey;
  const rejection = readDeaths(headers).find(
    ({ queue, reason }) => queue === kind.queue && reason === 'rejected',
  );
  // Routing keys of a record are those of its first death.
  const [firstKey] = rejection?.routingKeys ?? [];
  return firstKey !== undefined && isPublicKey(kind, firstKey) ? firstKey : type;
}

function isPublicKey(kind: RetriedKind, key: string): boolean {
  return key !== directKey(kind) && tierOfKey(kind, key) === 0;
}
