/** What a handler makes of a message: the closed vocabulary, and the one place where a throw becomes part of it. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';

/** How an attempt ended, as its handler says. */
export type Outcome<Effect = unknown> =
  | { readonly type: 'done'; readonly effect: Effect }
  /** Again, at the tier that is next. */
  | { readonly type: 'retry'; readonly error: unknown }
  /** Again, not before `delayMs`: the nearest tier that is not shorter; the tiers in between count as spent. */
  | { readonly type: 'retryAfter'; readonly delayMs: number; readonly error: unknown }
  /** Trying again cannot help: straight to the dead-letter queue. */
  | { readonly type: 'reject'; readonly error: unknown }
  /** Not wanted any more: acknowledged without an effect, with the reason on record. */
  | { readonly type: 'discard'; readonly reason: string };

/** The name of an outcome. */
export type OutcomeType = Outcome['type'];

/** Thrown errors are retried, unless the kind declares their class as one that trying again cannot mend. */
export function outcomeOfThrow(
  kind: Pick<KindDeclaration, 'nonRetryable'>,
  error: unknown,
): Outcome<never> {
  const type = kind.nonRetryable.includes(errorClass(error)) ? 'reject' : 'retry';
  return { type, error };
}

/** @returns the name of an error's class; 'NonError' for anything else that was thrown. */
export function errorClass(error: unknown): string {
  return error instanceof Error ? error.name : 'NonError';
}
