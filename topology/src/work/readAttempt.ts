/** Delivery → attempt, or the reason why none may be made. Pure. */
import type { Delivery } from '../amqp/delivery.ts';
import type { BrokerProfile } from '../plan/brokerProfile.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import { type Attempt, attemptOf } from '../retry/attempt.ts';
import { crashesOf } from '../retry/crashes.ts';
import { hasForgedDeaths } from '../retry/forgedDeaths.ts';

/** More workers ended with the message than the kind allows. */
export class CrashLimitExceeded extends Error {
  override readonly name = 'CrashLimitExceeded';
}

export interface AttemptContext {
  readonly kind: PlannedKind;
  /** Undefined before the first connection, when there are no deliveries. */
  readonly broker: BrokerProfile | undefined;
}

/** @throws CrashLimitExceeded; Error where headers or key are none that a broker wrote for this kind. */
export function readAttempt(
  { kind, broker }: AttemptContext,
  delivery: Pick<Delivery, 'headers' | 'routingKey' | 'isRedelivered' | 'unreadableReason'>,
): Attempt {
  const { headers, routingKey, unreadableReason } = delivery;
  if (unreadableReason !== undefined)
    throw new Error(`its headers cannot be read: ${unreadableReason}`);
  // Parked without its headers: to reject it would do harm.
  if (broker !== undefined && hasForgedDeaths(broker, headers))
    throw new Error('its x-death was not written by a broker');
  // The broker's own limit comes first; this is for the day on which somebody removed it.
  const crashCount = broker === undefined ? 0 : crashesOf(broker, kind, delivery);
  if (crashCount > kind.crashLimit)
    throw new CrashLimitExceeded(`${crashCount} crashes exceed the limit ${kind.crashLimit}`);
  const attempt = attemptOf(kind, routingKey, headers);
  if (attempt === undefined) throw new Error(`routing key '${routingKey}' is none of this kind's`);
  return attempt;
}
