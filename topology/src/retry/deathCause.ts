/** The cause of a dead letter: why its job died. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import { tierOfKey } from '../plan/names.ts';
import { readDeaths } from './xDeath.ts';

/** Causes of dead letters. `unknown`: the headers explain nothing, as after an unknown routing key or a deleted binding. */
export const DEATH_CAUSES = [
  'exhausted',
  'fatal',
  'malformed',
  'expired',
  'overflowed',
  'crashed',
  'unknown',
] as const;
/** Why a job died. */
export type DeathCause = (typeof DEATH_CAUSES)[number];

/** Header that a worker writes on a dead letter. It does not begin with `x-`, which the broker uses. */
export const CAUSE_HEADER = 'death-cause';

/** Causes that only the worker can determine, and writes on the dead letter that it publishes. */
export const WORKER_CAUSES = ['fatal', 'malformed', 'crashed'] as const;
/** A cause that a worker writes on a dead letter. */
export type WorkerCause = (typeof WORKER_CAUSES)[number];

/**
 * The worker's header decides, except where the broker recorded a death: a worker publishes a dead letter as a new message, so
 * there a client wrote the header. Otherwise the last death in the main queue decides.
 * @returns why the job of a dead letter died.
 */
export function deathCause(
  kind: KindDeclaration,
  routingKey: string,
  headers: Readonly<Record<string, unknown>>,
): DeathCause {
  const own = workerCause(headers);
  if (own !== undefined) return own;
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

/** @returns true for a dead letter that a worker published; the broker made all others. */
export function isByWorker(headers: Readonly<Record<string, unknown>>): boolean {
  return workerCause(headers) !== undefined;
}

function workerCause(headers: Readonly<Record<string, unknown>>): WorkerCause | undefined {
  return hasDied(headers)
    ? undefined
    : WORKER_CAUSES.find((cause) => cause === headers[CAUSE_HEADER]);
}

/**
 * An exhausted message has the key of the last tier, or of a later one under an earlier declaration with more tiers. The native
 * back end has one key, and rejects only the last attempt.
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
  // Before 3.13 there is no such header; the first record of x-death is the newest.
  const [newest] = readDeaths(headers);
  return { queue: newest?.queue, reason: newest?.reason };
}
