/** The one place where the names of a kind's objects are made. A tier is counted from 1. */
import { formatDuration } from '../declaration/duration.ts';

export const deadLetterExchange = (queue: string): string => `${queue}.dead-letter`;
export const retryExchange = (queue: string): string => `${queue}.retry`;
/** Takes what has waited back into the main queue. */
export const returnExchange = (queue: string): string => `${queue}.return`;
/** Takes whatever is to end in the dead-letter queue, under any key. */
export const parkExchange = (queue: string): string => `${queue}.park`;
/** The queue of those that no retry can mend. */
export const deadLetterQueue = (queue: string): string => `${queue}.dead`;

interface Ladder {
  readonly key: string;
  readonly queue: string;
  readonly tiersMs: readonly number[];
}

/**
 * The delay is part of the name, since it is part of the identity: a wait queue cannot change its time to live, so other
 * tiers are other queues, and the old ones can be emptied beside them.
 */
export function waitQueue(kind: Ladder, tier: number): string {
  return `${kind.queue}.wait.${tier}.${formatDuration(kind.tiersMs[tier - 1] ?? 0)}`;
}

/** @returns true for the name of any wait queue that this queue has or had, under whichever tiers. */
export function isWaitQueue(queue: string, name: string): boolean {
  return name.startsWith(`${queue}.wait.`);
}

/** @returns the key that a message carries after its `tier`-th wait; tier 0 is the public key. */
export function tierKey(kind: Pick<Ladder, 'key' | 'queue'>, tier: number): string {
  return tier === 0 ? kind.key : `${kind.queue}.r${tier}`;
}

/** @returns the tier that a key stands for, also one that is no longer declared; undefined where it is none of the kind's. */
export function tierOfKey(kind: Pick<Ladder, 'key' | 'queue'>, key: string): number | undefined {
  if (key === kind.key) return 0;
  const prefix = `${kind.queue}.r`;
  const tier = key.startsWith(prefix) ? key.slice(prefix.length) : '';
  return /^[1-9]\d?$/.test(tier) ? Number(tier) : undefined;
}
