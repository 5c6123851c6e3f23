/** What can become of a message while it is in the main queue, as words of a command line and as data. */

import type { Outcome } from '@fit/topology';
import { parseDurationMs } from '@fit/topology';

/** A handler's outcome, or what befalls a message without a handler. */
export type Fate =
  | { readonly type: 'done' }
  /** A failed attempt: the next tier, or the end of the ladder. */
  | { readonly type: 'retry' }
  /** A failed attempt that asks for a wait of its own. */
  | { readonly type: 'retryAfter'; readonly delayMs: number }
  /** A failure that trying again cannot mend. */
  | { readonly type: 'fatal' }
  | { readonly type: 'discard' }
  /** The worker's connection ends before it answers. */
  | { readonly type: 'crash' }
  /** Nobody takes it in its time to live. */
  | { readonly type: 'expire' }
  /** The queue is full, and this is its oldest message. */
  | { readonly type: 'overflow' };

const SIMPLE_WORDS = {
  done: 'done',
  retry: 'retry',
  // What the broker calls it when a consumer refuses a message.
  reject: 'retry',
  fatal: 'fatal',
  crash: 'crash',
  discard: 'discard',
  expire: 'expire',
  overflow: 'overflow',
} as const;

const AFTER = 'after:';

/** Every word that is understood, for usage texts. */
export const FATE_WORDS: readonly string[] = [...Object.keys(SIMPLE_WORDS), `${AFTER}30s`];

/** @returns undefined where the word is none of `FATE_WORDS`, or its duration is not above 0. */
export function readFate(word: string): Fate | undefined {
  if (word.startsWith(AFTER)) {
    const delayMs = parseDurationMs(word.slice(AFTER.length)) ?? 0;
    return delayMs > 0 ? { type: 'retryAfter', delayMs } : undefined;
  }
  return Object.hasOwn(SIMPLE_WORDS, word)
    ? { type: SIMPLE_WORDS[word as keyof typeof SIMPLE_WORDS] }
    : undefined;
}

/** @returns what a handler would have answered; undefined where none was asked, or none came to an answer. */
export function outcomeOf(fate: Fate): Outcome | undefined {
  switch (fate.type) {
    case 'done':
      return { type: 'done', effect: undefined };
    case 'retry':
      return { type: 'retry', error: undefined };
    case 'retryAfter':
      return { type: 'retryAfter', delayMs: fate.delayMs, error: undefined };
    case 'fatal':
      return { type: 'reject', error: undefined };
    case 'discard':
      return { type: 'discard', reason: 'not wanted' };
    case 'crash':
    case 'expire':
    case 'overflow':
      return undefined;
  }
}
