/** Why a letter lies in the dead-letter queue. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import { tierOfKey } from '../plan/names.ts';
import { readDeaths } from './attempt.ts';

/** `unknown`: no rule below explains the death; the routing key is unknown or a binding is missing. */
export const DEATH_CAUSES = [
  'exhausted',
  'fatal',
  'malformed',
  'expired',
  'overflowed',
  'crashed',
  'unknown',
] as const;
/** Why a letter lies in a dead-letter queue. */
export type DeathCause = (typeof DEATH_CAUSES)[number];

/** Our own header on a parked message; never `x-`, which belongs to the broker. */
export const CAUSE_HEADER = 'death-cause';

/** Causes that only the worker knows, and writes on the letter that it parks. */
const OWN_CAUSES = ['fatal', 'malformed', 'crashed'] as const;
export type WorkerCause = (typeof OWN_CAUSES)[number];

/**
 * Own header first, but not where the broker recorded a death: the worker parks a message as a new one, so there the
 * header is what a client wrote. Then the last death in the main queue. Before 3.13 the broker names only the first death.
 */
export function deathCause(
  kind: KindDeclaration,
  routingKey: string,
  headers: Readonly<Record<string, unknown>>,
): DeathCause {
  const own = OWN_CAUSES.find((cause) => cause === headers[CAUSE_HEADER]);
  if (own !== undefined && !hasDied(headers)) return own;
  const { queue, reason } = lastDeath(headers);
  if (queue !== kind.queue) return 'unknown';
  switch (reason) {
    case 'rejected':
      return isLastKey(kind, routingKey) ? 'exhausted' : 'unknown';
    case 'delivery_limit':
      return 'crashed';
    case 'maxlen':
      return 'overflowed';
    case 'expired':
      return 'expired';
    default:
      return 'unknown';
  }
}

/**
 * The routing key of an exhausted letter is its last one, or a later one of an older declaration with more tiers. The
 * native back end has one key, and there a rejection is the last attempt.
 */
function isLastKey(kind: KindDeclaration, routingKey: string): boolean {
  const tier = tierOfKey(kind, routingKey);
  if (tier === undefined) return false;
  return tier >= kind.tiersMs.length || (tier === 0 && kind.backend !== 'tiers');
}

function hasDied(headers: Readonly<Record<string, unknown>>): boolean {
  return ['x-death', 'x-first-death-reason', 'x-last-death-reason'].some((name) => name in headers);
}

function lastDeath(headers: Readonly<Record<string, unknown>>): {
  queue: unknown;
  reason: unknown;
} {
  const last = { queue: headers['x-last-death-queue'], reason: headers['x-last-death-reason'] };
  if (typeof last.reason === 'string') return last;
  // 3.10 to 3.12: the newest record stands first in x-death.
  const [newest] = readDeaths(headers);
  return { queue: newest?.queue, reason: newest?.reason };
}
