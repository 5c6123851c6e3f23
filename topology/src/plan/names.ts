/** Names of a kind's exchanges, queues and routing keys; no other file makes them. Tiers are counted from 1. */
import { createHash } from 'node:crypto';
import { formatDuration } from '../declaration/duration.ts';
import { isPattern, matchesPattern, withoutCovered } from '../declaration/keyPattern.ts';
import type { QueueNames } from '../declaration/kindOptions.ts';
import { SPREADS, type Spread, spreadMs } from '../retry/spread.ts';

/** Exchange that a main queue dead-letters to; it routes by the reason of the death. */
export const deadLetterExchange = (queue: string): string => `${queue}.dead-letter`;
/** Exchange that routes a rejected message to the wait queue of its next tier. */
export const retryExchange = (queue: string): string => `${queue}.retry`;
/**
 * Exchange that routes a first attempt, whose key matches a pattern of the queue, to the first wait queue. It is the
 * alternate of the retry exchange, so keys of tiers never reach it, whatever the pattern is.
 */
export const firstRetryExchange = (queue: string): string => `${queue}.retry.first`;
/** @returns the exchanges whose bindings choose the wait queue of a rejected message. */
export const retryExchanges = (queue: string): readonly string[] => [
  retryExchange(queue),
  firstRetryExchange(queue),
];
/** Exchange that routes a message from its wait queue back to the main queue. */
export const returnExchange = (queue: string): string => `${queue}.return`;
/** Exchange that routes every message to the dead-letter queue, whatever its key. */
export const parkExchange = (queue: string): string => `${queue}.park`;
/** @returns the queue of the dead letters. */
export function deadLetterQueue({ queue, names }: Pick<TieredKind, 'queue' | 'names'>): string {
  return names.dead ?? `${queue}.dead`;
}

/** Name of the exchange, and of the stream behind it, that keep the last errors of exhausted dead letters. */
export const notesName = (queue: string): string => `${queue}.notes`;
/**
 * @returns the message id of a message's note: a hash of its own id, which may name a person. Notes cannot be deleted one by one, so they
 * must not name anybody.
 */
export const noteIdOf = (messageId: string): string =>
  createHash('sha256').update(messageId).digest('base64url');

/** Name of the exchange, and of the queue behind it, that keep a message for this time before its first delivery. */
export const delayName = (exchange: string, delayMs: number): string =>
  `${exchange}.delay.${formatDuration(delayMs)}`;

/** @returns true for a name that `delayName` makes for any delay. */
export function isDelayName(exchange: string, name: string): boolean {
  const prefix = `${exchange}.delay.`;
  return name.startsWith(prefix) && /^\d+(?:ms|s|m|h)$/.test(name.slice(prefix.length));
}

/** What the names of a kind are made from. */
export interface TieredKind {
  /** Public routing key that messages of the kind are published with. */
  readonly key: string;
  /** Public routing keys and patterns by which the queue is bound. */
  readonly keys: readonly string[];
  /** Main queue. */
  readonly queue: string;
  /** Milliseconds of each tier. */
  readonly tiersMs: readonly number[];
  /** Names that the owner declares in place of the default ones. */
  readonly names: QueueNames;
  /** Share of each delay by which waits are lengthened. */
  readonly jitter: number;
}

/** What of a kind decides the names of its wait queues. */
export type WaitingKind = Pick<TieredKind, 'queue' | 'tiersMs' | 'names' | 'jitter'>;

/**
 * The delay is part of the default name, because a queue cannot change its TTL argument: other tiers need other queues, and
 * those of earlier tiers can be drained beside them.
 * @returns the name of the wait queue of a tier.
 */
export function waitQueue(kind: WaitingKind, tier: number): string {
  const delayMs = kind.tiersMs[tier - 1] ?? 0;
  const longestMs = delayMs + spreadMs(delayMs, kind.jitter, 'long');
  const delay =
    kind.jitter === 0
      ? formatDuration(delayMs)
      : `${formatDuration(delayMs)}-${formatDuration(longestMs)}`;
  return waitTemplate(kind).replaceAll('{n}', `${tier}`).replaceAll('{delay}', delay);
}

/**
 * With jitter a message leaves the wait queue through this exchange, which sends it by its spread to a second wait queue or
 * back at once. It has the name of the wait queue, so that other delays or another jitter never meet its bindings.
 */
export function spreadExchange(kind: WaitingKind, tier: number): string {
  return waitQueue(kind, tier);
}

/** @returns the second wait queue of a tier, for messages of this spread. */
export function spreadQueue(kind: WaitingKind, tier: number, spread: Spread): string {
  return `${waitQueue(kind, tier)}.${spread}`;
}

/** @returns all wait queues of a tier: one, or with jitter three. */
export function waitQueuesOf(kind: WaitingKind, tier: number): string[] {
  const spreads = kind.jitter === 0 ? [] : SPREADS;
  return [waitQueue(kind, tier), ...spreads.map((spread) => spreadQueue(kind, tier, spread))];
}

function waitTemplate({ queue, names }: Pick<TieredKind, 'queue' | 'names'>): string {
  return names.wait ?? `${queue}.wait.{n}.{delay}`;
}

/** @returns true for a name that begins as the default names of this kind's wait queues, which no other owner gives a queue. */
export function isDefaultWaitName({ queue }: Pick<TieredKind, 'queue'>, name: string): boolean {
  return name.startsWith(`${queue}.wait.`);
}

/** @returns true for the name of a wait queue of this kind, whatever its tiers are or were. */
export function isWaitQueue(kind: Pick<TieredKind, 'queue' | 'names'>, name: string): boolean {
  if (isDefaultWaitName(kind, name)) return true;
  const pattern = waitTemplate(kind)
    .replaceAll('.', '\\.')
    .replaceAll('{n}', '\\d+')
    .replaceAll('{delay}', '\\d+(?:ms|s|m|h)(?:-\\d+(?:ms|s|m|h))?');
  return new RegExp(`^${pattern}(?:\\.(?:${SPREADS.join('|')}))?$`).test(name);
}

/** @returns the routing key of a message after its wait in this tier; of tier 0 the public key. */
export function tierKey(kind: Pick<TieredKind, 'key' | 'queue'>, tier: number): string {
  return tier === 0 ? kind.key : `${kind.queue}.r${tier}`;
}

/**
 * A message that is meant for this queue alone, as a replayed dead letter is, has this key: with a public key it would
 * reach every other queue of the key as well.
 */
export function directKey({ queue }: Pick<TieredKind, 'queue'>): string {
  return `${queue}.r0`;
}

/** @returns the keys of a first attempt, public ones and the direct one, that no pattern of the queue matches. */
export function firstKeys(kind: Pick<TieredKind, 'keys' | 'queue'>): string[] {
  return withoutCovered([...kind.keys, directKey(kind)]).filter((key) => !isPattern(key));
}

/** @returns the patterns among the public keys. */
export function patternsOf({ keys }: Pick<TieredKind, 'keys'>): string[] {
  return keys.filter(isPattern);
}

/** @returns true for a key that the broker gives a message of this queue after a wait, whatever its tiers are or were. */
export function isTierKey(queue: string, key: string): boolean {
  return tierIn(queue, key) !== undefined;
}

function tierIn(queue: string, key: string): number | undefined {
  const prefix = `${queue}.r`;
  const tier = key.startsWith(prefix) ? key.slice(prefix.length) : '';
  return /^(?:0|[1-9]\d?)$/.test(tier) ? Number(tier) : undefined;
}

/** @returns the tier of a routing key, also one that is no longer declared; undefined if the key does not belong to this kind. */
export function tierOfKey(
  kind: Pick<TieredKind, 'key' | 'keys' | 'queue'>,
  key: string,
): number | undefined {
  if (key === kind.key) return 0;
  const tier = tierIn(kind.queue, key);
  if (tier !== undefined) return tier;
  return kind.keys.some((pattern) => matchesPattern(pattern, key)) ? 0 : undefined;
}
