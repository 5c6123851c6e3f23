/** What can happen to a message in a main queue, as words of the command line and as data. */
import { type Outcome, parseDurationMs } from '@fit/topology';

/** An outcome of the handler, or an event without a handler result. */
export type SimulatedOutcome =
  | { readonly type: 'done' }
  /** A failed attempt: the message waits for the next tier, or is exhausted. */
  | { readonly type: 'retry' }
  /** A failed attempt that asks for a wait of its own. */
  | { readonly type: 'retryAfter'; readonly delayMs: number }
  /** A failure that a retry cannot fix. */
  | { readonly type: 'fatal' }
  | { readonly type: 'discard' }
  /** The worker's connection ends before it settles the delivery. */
  | { readonly type: 'crash' }
  /** No worker takes the message within its time to live. */
  | { readonly type: 'expire' }
  /** The queue is full, and this is its oldest message. */
  | { readonly type: 'overflow' };

const TYPES = {
  done: 'done',
  retry: 'retry',
  // RabbitMQ's word for a consumer that refuses a message.
  reject: 'retry',
  fatal: 'fatal',
  crash: 'crash',
  discard: 'discard',
  expire: 'expire',
  overflow: 'overflow',
} as const;

const AFTER = 'after:';

/** All words of the command line. */
export const OUTCOME_WORDS: readonly string[] = [...Object.keys(TYPES), `${AFTER}30s`];

/** @returns undefined if the word is not one of `OUTCOME_WORDS`, or its duration is not above 0. */
export function parseOutcome(word: string): SimulatedOutcome | undefined {
  if (word.startsWith(AFTER)) {
    const delayMs = parseDurationMs(word.slice(AFTER.length)) ?? 0;
    return delayMs > 0 ? { type: 'retryAfter', delayMs } : undefined;
  }
  return Object.hasOwn(TYPES, word) ? { type: TYPES[word as keyof typeof TYPES] } : undefined;
}

/** @returns the outcome that a handler would return; undefined if there is no handler result. */
export function handlerOutcome(outcome: SimulatedOutcome): Outcome | undefined {
  switch (outcome.type) {
    case 'done':
      return { type: 'done', effect: undefined };
    case 'retry':
      return { type: 'retry', error: undefined };
    case 'retryAfter':
      return { type: 'retry', after: outcome.delayMs, error: undefined };
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
