/** Outcome + attempt → next step. Total, without I/O: the worker only carries it out. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import type { Attempt } from './attempt.ts';
import type { Outcome } from './outcome.ts';

/** What the worker does with a message after an attempt. */
export type NextStep =
  /** The effect is stored: acknowledge. */
  | { readonly type: 'ack' }
  /** Nothing is to be done any more: acknowledge. */
  | { readonly type: 'drop' }
  /** Reject: the broker moves it to the tier of its key (tiers), or holds it back itself (native). */
  | { readonly type: 'wait'; readonly delayMs: number }
  /** A tier other than the next: confirmed publish to the retry exchange with that tier's key, then ack. */
  | { readonly type: 'skip'; readonly tier: number; readonly delayMs: number }
  /** Reject: the key is the last, so the broker moves it to the dead-letter queue. */
  | { readonly type: 'exhaust' }
  /** Confirmed publish to the park exchange with the reason, then ack. */
  | { readonly type: 'deadLetter' };

/** @returns the one thing to do with the message now. */
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
      return waitOf(attempt);
    case 'retryAfter':
      return kind.backend === 'native' ? waitOf(attempt) : skipTo(kind, attempt, outcome.delayMs);
  }
}

function waitOf({ nextDelayMs }: Attempt): NextStep {
  return nextDelayMs === undefined ? { type: 'exhaust' } : { type: 'wait', delayMs: nextDelayMs };
}

/** Of the tiers that are left, the shortest that is long enough; else the longest, which is the nearest there is. */
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
