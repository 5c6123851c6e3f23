/** Outcomes: the results of a handler. Only this file turns a thrown error, or an invalid result, into an outcome. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import { type Duration, parseDurationMs } from '../declaration/duration.ts';

/** The result of a handler, which decides the next step of the message. */
export type Outcome<Effect = unknown> =
  | { readonly type: 'done'; readonly effect?: Effect | undefined }
  /**
   * Retry at the next tier; with `after`, a duration or milliseconds, at the shortest later tier that is long enough.
   * Skipped tiers count as spent.
   */
  | { readonly type: 'retry'; readonly error?: unknown; readonly after?: Duration | undefined }
  /** No retry can help: the message is dead-lettered at once. */
  | { readonly type: 'reject'; readonly error: unknown }
  /** The work is no longer wanted: the message is acknowledged without an effect, and the reason is recorded. */
  | { readonly type: 'discard'; readonly reason: string };

/** The name of an outcome. */
export type OutcomeType = Outcome['type'];

/**
 * The attempt failed, and the message is tried again.
 * @param options.after waits at least this long: at the shortest later delay that is not shorter, or else the longest.
 */
export function retry(
  error?: unknown,
  options: { readonly after?: Duration } = {},
): Outcome<never> {
  return options.after === undefined
    ? { type: 'retry', error }
    : { type: 'retry', error, after: options.after };
}

/** No retry can help: the message goes to the dead-letter queue at once, with this error. */
export function reject(error: unknown): Outcome<never> {
  return { type: 'reject', error };
}

/** The work is no longer wanted: the message is acknowledged without an effect; the reason is in the event. */
export function discard(reason: string): Outcome<never> {
  return { type: 'discard', reason };
}

/**
 * What a handler returns in place of an outcome while something that it needs is down, whatever the message: no attempt is
 * spent. The worker holds the message, pauses consuming, and hands it in again after the pause of its circuit breaker. After
 * 15 minutes the message goes back to its queue.
 */
export interface Hold {
  readonly type: 'hold';
  readonly error?: unknown;
}

/** Something that the handler needs is down: no attempt is spent, and the message is handed in again after a pause. */
export function hold(error?: unknown): Hold {
  return { type: 'hold', error };
}

/** @returns retry for a thrown error, or reject if the kind lists its class in `nonRetryable`. */
export function outcomeOfThrow(
  kind: Pick<KindDeclaration, 'nonRetryable'>,
  error: unknown,
): Outcome<never> {
  const type = kind.nonRetryable.includes(errorClass(error)) ? 'reject' : 'retry';
  return { type, error };
}

/** What a handler may return: an outcome, `hold`, or nothing, which means done without an effect. */
export type HandlerResult<Effect = unknown> = Outcome<Effect> | Hold | undefined;

/** The handler returned a value that is not an outcome, so the attempt counts as failed. */
export class InvalidOutcome extends Error {
  override readonly name = 'InvalidOutcome';
}

const DONE: Outcome<never> = Object.freeze({ type: 'done' });

/**
 * @param answer is what the handler returned: a program in JavaScript can return anything.
 * @throws InvalidOutcome with the returned value, and with the values that are allowed.
 */
export function outcomeOfResult<Effect>(answer: HandlerResult<Effect>): Outcome<Effect> | Hold {
  if (answer === undefined) return DONE;
  const fields = Object(answer) as Partial<Record<'type' | 'after' | 'reason', unknown>>;
  switch (fields.type as OutcomeType | 'hold' | undefined) {
    case 'done':
    case 'hold':
    case 'reject':
      return answer;
    case 'retry':
      if (fields.after === undefined || isDelay(fields.after)) return answer;
      throw new InvalidOutcome(
        `${shown(answer)}, whose after must be a duration, such as '30s', or milliseconds that are not negative`,
      );
    case 'discard':
      if (typeof fields.reason === 'string') return answer;
      throw new InvalidOutcome(`${shown(answer)}, which needs reason: a text`);
    default:
      throw new InvalidOutcome(
        `${shown(answer)}, which is no outcome; return nothing for done, or an object whose type is done, retry, reject, discard or hold`,
      );
  }
}

function isDelay(value: unknown): boolean {
  const delayMs =
    typeof value === 'string' || typeof value === 'number' ? parseDurationMs(value) : undefined;
  return delayMs !== undefined && delayMs >= 0;
}

const SHOWN_LIMIT_CHARS = 200;

function shown(answer: unknown): string {
  return `the handler returned ${asText(answer).slice(0, SHOWN_LIMIT_CHARS)}`;
}

/** JSON.stringify may throw, for example at a circular object; the error message must be written nevertheless. */
function asText(answer: unknown): string {
  try {
    // JSON.stringify returns undefined for functions and symbols, although its type does not include undefined.
    const json = JSON.stringify(answer) as string | undefined;
    return json ?? `a ${typeof answer}`;
  } catch {
    return `a ${typeof answer} that has no text`;
  }
}

const TEXT_LIMIT_CHARS = 500;

/**
 * Class and message are the same in the record of a job and on its dead letter, and so is the fingerprint that is made of
 * them.
 * @returns the name of an error's class, at most 500 characters; 'NonError' for anything else that was thrown.
 */
export function errorClass(error: unknown): string {
  if (!(error instanceof Error)) return 'NonError';
  // A class that sets no name has that of Error, which tells nobody anything.
  const { name, constructor } = error as {
    name: unknown;
    constructor: { name?: unknown } | undefined;
  };
  return textOf(name === 'Error' ? (constructor?.name ?? name) : name);
}

/**
 * @returns the message of an error, at most 500 characters; for any other thrown value its text, or 'unprintable' if it has
 * none.
 */
export function errorMessage(error: unknown): string {
  return textOf(error instanceof Error ? error.message : error);
}

function textOf(value: unknown): string {
  try {
    return String(value).slice(0, TEXT_LIMIT_CHARS);
  } catch {
    // String() throws for some objects, such as one without a prototype; the worker that reports the value must go on.
    return 'unprintable';
  }
}
