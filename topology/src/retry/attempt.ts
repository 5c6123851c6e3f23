/**
 * Determines which attempt a delivery is, from its routing key: the broker set the key when the message left its wait
 * queue.
 */
import type { Declaration, KindDeclaration } from '../declaration/declareTopology.ts';
import { directKey, returnExchange, tierKey, tierOfKey } from '../plan/names.ts';
import { deliveryCount, type Headers, rejectionCount } from './xDeath.ts';

/** Which attempt a delivery is, and what a failure would lead to. */
export interface Attempt {
  /** Counted from 1 in a generation. */
  readonly number: number;
  /** True if no tier is left: after a failure of this attempt the message is dead-lettered. */
  readonly isLast: boolean;
  /** Milliseconds of the wait that a rejection would lead to; undefined on the last attempt. */
  readonly nextDelayMs: number | undefined;
  /** False if x-death counts another number of rejections than the routing key stands for, as after a republish. */
  readonly agreesWithDeaths: boolean;
}

/** The part of a kind that attempts depend on. `auto` counts as tiers: take the kind from a plan, in which it is resolved. */
export type RetriedKind = Pick<
  KindDeclaration,
  'key' | 'keys' | 'queue' | 'names' | 'tiersMs' | 'jitter' | 'backend'
>;

/**
 * A key of a tier that is no longer declared is a last attempt: the waits were spent under the earlier declaration.
 * @returns undefined if the key does not belong to this kind.
 */
export function attemptOf(
  kind: RetriedKind,
  routingKey: string,
  headers: Headers,
): Attempt | undefined {
  const tier = tierOfKey(kind, routingKey);
  if (tier === undefined) return undefined;
  const isNative = kind.backend === 'native';
  const spentCount = isNative ? Math.max(tier, deliveryCount(headers)) : tier;
  return {
    number: spentCount + 1,
    isLast: spentCount >= kind.tiersMs.length,
    nextDelayMs: kind.tiersMs[spentCount],
    agreesWithDeaths: isNative || rejectionCount(kind.queue, headers) === tier,
  };
}

/** Where to publish: an exchange and a routing key. */
export interface PublishTarget {
  /** Name of the exchange. */
  readonly exchange: string;
  /** Routing key. */
  readonly key: string;
}

/**
 * A message that failed in one queue must not reach the others of its public key again, nor lose its name to another key.
 * @returns where a dead letter of this kind is published to be tried anew; its AMQP `type` must tell its name.
 */
export function replayTarget(
  { exchange, hasFanOut }: Pick<Declaration, 'exchange' | 'hasFanOut'>,
  kind: RetriedKind,
): PublishTarget {
  const isAlone = !hasFanOut && kind.keys.length === 1 && kind.keys[0] === kind.key;
  return isAlone
    ? { exchange, key: kind.key }
    : { exchange: returnExchange(kind.queue), key: directKey(kind) };
}

/**
 * A new message goes to the public exchange. A message that has spent attempts, and that the broker lost between two of
 * them, is published with the key of its next attempt, so that a purge gives it no new attempts. The native back end counts
 * attempts in the queue alone, so there the message begins with its first attempt.
 * @param spentCount is the number of attempts that ended; 0 for a new message.
 */
export function publishTarget(
  declaration: Pick<Declaration, 'exchange'>,
  kind: RetriedKind,
  spentCount: number,
): PublishTarget {
  const tier = Math.min(spentCount, kind.tiersMs.length);
  return tier === 0 || kind.backend !== 'tiers'
    ? { exchange: declaration.exchange, key: kind.key }
    : { exchange: returnExchange(kind.queue), key: tierKey(kind, tier) };
}
