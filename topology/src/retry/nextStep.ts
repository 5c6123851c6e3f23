/** Outcome + attempt → next step. Total, without I/O: settlement only carries it out. */
import type { Attempt } from './attempt.ts';

/** What a handler made of a job: the closed vocabulary. */
export type OutcomeType = 'done' | 'retry' | 'reject';

export type NextStep =
  /** The effect is stored: acknowledge. */
  | { readonly type: 'ack' }
  /** Nack without requeue: the broker moves it to the tier of its key. */
  | { readonly type: 'wait'; readonly delayMs: number }
  /** Nack without requeue: the key is the last, so the broker moves it to the dead-letter queue. */
  | { readonly type: 'exhaust' }
  /** Confirmed publish to the park exchange with the reason, then ack. */
  | { readonly type: 'park' };

export function nextStep(outcome: OutcomeType, attempt: Attempt): NextStep {
  switch (outcome) {
    case 'done':
      return { type: 'ack' };
    case 'reject':
      return { type: 'park' };
    case 'retry':
      return attempt.nextDelayMs === undefined
        ? { type: 'exhaust' }
        : { type: 'wait', delayMs: attempt.nextDelayMs };
  }
}
