/**
 * Jitter: messages that fail together come back apart. The share of a delay that a message waits longer is chosen when it is
 * published, and travels in a header, because a rejection tells the broker nothing and no worker publishes for a retry.
 */

/** Header that tells how much longer than its delays a message waits. Without it, it waits no longer. */
export const SPREAD_HEADER = 'retry-spread';

/** Values of the header that lengthen a wait: by half of the jitter, by all of it. */
export const SPREADS = ['middle', 'long'] as const;
/** A value of the header that lengthens a wait. */
export type Spread = (typeof SPREADS)[number];

/**
 * The id decides, so that a message that is published again under its id waits as it did before.
 * @returns the header for a third of all ids each: none, `middle`, `long`.
 */
export function spreadHeader(id: string): Readonly<Record<string, string>> {
  // FNV-1a: ids that differ in one character are spread evenly.
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index += 1)
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193) >>> 0;
  const spread = SPREADS[(hash % (SPREADS.length + 1)) - 1];
  return spread === undefined ? {} : { [SPREAD_HEADER]: spread };
}

/** @returns how many milliseconds longer a message with this header waits in a tier. */
export function spreadMs(delayMs: number, jitter: number, spread: Spread): number {
  return Math.round((delayMs * jitter * (SPREADS.indexOf(spread) + 1)) / SPREADS.length);
}

/** @returns how many milliseconds a message of this kind waits at most in all its tiers together, its jitter included. */
export function longestWaitMs(kind: {
  readonly tiersMs: readonly number[];
  readonly jitter: number;
}): number {
  return kind.tiersMs.reduce((sum, ms) => sum + ms + spreadMs(ms, kind.jitter, 'long'), 0);
}
