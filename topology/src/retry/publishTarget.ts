/** Where a message goes in: the public exchange, or further on where attempts are spent already. */
import type { Declaration, KindDeclaration } from '../declaration/declareTopology.ts';
import { returnExchange, tierKey } from '../plan/names.ts';

/** Where to publish: an exchange and a routing key. */
export interface PublishTarget {
  readonly exchange: string;
  readonly key: string;
}

/**
 * A new message goes to the public exchange. One that has spent attempts (the broker lost it between two of them) goes
 * back in at the key that it had earned, so that a purge does not give it a new budget. The native back end counts in
 * the queue alone, so there it begins anew.
 * @param spentCount attempts that are over; 0 for a new message.
 */
export function publishTarget(
  declaration: Pick<Declaration, 'exchange'>,
  kind: Pick<KindDeclaration, 'key' | 'queue' | 'tiersMs' | 'backend'>,
  spentCount: number,
): PublishTarget {
  const tier = Math.min(spentCount, kind.tiersMs.length);
  return tier === 0 || kind.backend !== 'tiers'
    ? { exchange: declaration.exchange, key: kind.key }
    : { exchange: returnExchange(kind.queue), key: tierKey(kind, tier) };
}
