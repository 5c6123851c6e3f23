/** Outcome + attempt → next step: a total function without I/O, whose result the worker carries out. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import { parseDurationMs } from '../declaration/duration.ts';
import type { Attempt } from './attempt.ts';
import type { Outcome } from './outcome.ts';

/** What a worker does with a message after an attempt. */
export type NextStep =
  /** Acknowledge, once the effect is stored. */
  | { readonly type: 'ack' }
  /** Acknowledge, because the work is no longer wanted. */
  | { readonly type: 'drop' }
  /**
   * Nack without requeue: the broker moves the message to its next tier. With native retry: basic.reject with requeue, and
   * the broker delays the message itself.
   */
  | { readonly type: 'wait'; readonly delayMs: number }
  /** Skip tiers: publish to the retry exchange with the key of a later tier, then acknowledge. */
  | { readonly type: 'skip'; readonly tier: number; readonly delayMs: number }
  /** Nack the last attempt without requeue: the broker moves the message to the dead-letter queue. */
  | { readonly type: 'exhaust' }
  /** Publish to the park exchange with the cause, then acknowledge. */
  | { readonly type: 'deadLetter' };

/**
 * The step that follows each outcome:
 * - `done`: `ack`.
 * - `discard`: `drop`.
 * - `reject`: `deadLetter`.
 * - `retry`: `wait`, or `exhaust` on the last attempt.
 * - `retry` with `after`: `wait` if the next tier is the best fit, `skip` if a later one is, `exhaust` on the last attempt;
 *   with native retry as without `after`.
 */
export function nextStep(
  kind: Pick<KindDeclaration, 'tiersMs' | 'backend'>,
  attempt: Attempt,
  outcome: Outcome,
): NextStep {
  switch (outcome.type) {
    case 'done':
      return { type: 'ack' };
    case 'discard':
      return { type: 'drop' };
    case 'reject':
      return { type: 'deadLetter' };
    case 'retry':
      return outcome.after === undefined || kind.backend === 'native'
        ? waitOf(attempt)
        : skipTo(kind, attempt, parseDurationMs(outcome.after) ?? 0);
  }
}

function waitOf({ nextDelayMs }: Attempt): NextStep {
  return nextDelayMs === undefined ? { type: 'exhaust' } : { type: 'wait', delayMs: nextDelayMs };
}

/** Chooses, of the remaining tiers, the shortest that is long enough, or else the longest. */
function skipTo(
  { tiersMs }: Pick<KindDeclaration, 'tiersMs'>,
  attempt: Attempt,
  delayMs: number,
): NextStep {
  const left = tiersMs
    .map((tierMs, index) => ({ tier: index + 1, delayMs: tierMs }))
    .filter(({ tier }) => tier >= attempt.number);
  if (left.length === 0) return { type: 'exhaust' };
  const enough = left.filter((tier) => tier.delayMs >= delayMs);
  const [first, ...rest] = enough.length > 0 ? enough : left;
  const isShortest = enough.length > 0;
  const best = rest.reduce(
    (found, tier) => (tier.delayMs < found.delayMs === isShortest ? tier : found),
    first ?? { tier: attempt.number, delayMs },
  );
  return best.tier === attempt.number
    ? { type: 'wait', delayMs: best.delayMs }
    : { type: 'skip', ...best };
}
