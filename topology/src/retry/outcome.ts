/** What a handler makes of a message: the closed vocabulary, and the one place where a throw becomes part of it. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';

/** How an attempt ended, as its handler says. */
export type Outcome<Effect = unknown> =
  | { readonly type: 'done'; readonly effect?: Effect | undefined }
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

/** What a handler may return: an outcome, or nothing, which means done without an effect. */
export type HandlerAnswer<Effect = unknown> = Outcome<Effect> | undefined;

/** The handler returned something that is no outcome; the attempt counts as failed. */
export class InvalidOutcome extends Error {
  override readonly name = 'InvalidOutcome';
}

const DONE: Outcome<never> = Object.freeze({ type: 'done' });

/**
 * @param answer whatever the handler returned: a program in JavaScript can return anything.
 * @throws InvalidOutcome that shows what it was and what it may be.
 */
export function outcomeOfAnswer<Effect>(answer: HandlerAnswer<Effect>): Outcome<Effect> {
  if (answer === undefined) return DONE;
  const fields = Object(answer) as Partial<Record<'type' | 'delayMs' | 'reason', unknown>>;
  switch (fields.type as OutcomeType | undefined) {
    case 'done':
    case 'retry':
    case 'reject':
      return answer;
    case 'retryAfter':
      if (typeof fields.delayMs === 'number' && fields.delayMs >= 0) return answer;
      throw new InvalidOutcome(
        `${shown(answer)}, which needs delayMs: a number of milliseconds that is not negative`,
      );
    case 'discard':
      if (typeof fields.reason === 'string') return answer;
      throw new InvalidOutcome(`${shown(answer)}, which needs reason: a text`);
    default:
      throw new InvalidOutcome(
        `${shown(answer)}, which is no outcome; return nothing for done, or an object whose type is done, retry, retryAfter, reject or discard`,
      );
  }
}

const SHOWN_LIMIT_CHARS = 200;

function shown(answer: unknown): string {
  return `the handler returned ${asText(answer).slice(0, SHOWN_LIMIT_CHARS)}`;
}

/** An object may refuse to become text; that must not hide what is wrong with it. */
function asText(answer: unknown): string {
  try {
    // Undefined for functions and symbols, which the types of the library do not say.
    const json = JSON.stringify(answer) as string | undefined;
    return json ?? `a ${typeof answer}`;
  } catch {
    return `a ${typeof answer} that has no text`;
  }
}

/** @returns the name of an error's class; 'NonError' for anything else that was thrown. */
export function errorClass(error: unknown): string {
  return error instanceof Error ? error.name : 'NonError';
}
