/** The one place where the names of a kind's objects are made. A tier is counted from 1. */
export const deadLetterExchange = (queue: string): string => `${queue}.dead-letter`;
export const retryExchange = (queue: string): string => `${queue}.retry`;
export const returnExchange = (queue: string): string => `${queue}.return`;
export const parkExchange = (queue: string): string => `${queue}.park`;
export const waitQueue = (queue: string, tier: number): string => `${queue}.wait.${tier}`;
export const deadLetterQueue = (queue: string): string => `${queue}.dead`;

/** @returns the key that a message carries after its `tier`-th wait; tier 0 is the public key. */
export function tierKey(kind: { key: string; queue: string }, tier: number): string {
  return tier === 0 ? kind.key : `${kind.queue}.r${tier}`;
}
