/** One attempt: the handler under a deadline, its answer or its throw as an outcome. */
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import {
  type HandlerAnswer,
  type Outcome,
  outcomeOfAnswer,
  outcomeOfThrow,
} from '../retry/outcome.ts';

/** The attempt did not answer within its deadline; it counts as failed. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
}

export interface RunOptions {
  readonly kind: Pick<KindDeclaration, 'nonRetryable'>;
  /** Must be shorter than the broker's ack timeout (30 minutes). */
  readonly deadlineMs: number;
  /** Called once where the attempt is still running after a second. */
  readonly onLong?: (() => void) | undefined;
}

/** Aborted at the deadline; work that ignores it is abandoned, and the attempt counts as a failure. */
export type Run<Effect> = (
  signal: AbortSignal,
) => HandlerAnswer<Effect> | Promise<HandlerAnswer<Effect>>;

const LONG_MS = 1_000;

/** Never rejects. A throw, or an answer that is no outcome, is a retry, or a reject where the kind says so of its class: it is mapped here alone. */
export async function runAttempt<Effect>(
  run: Run<Effect>,
  options: RunOptions,
): Promise<Outcome<Effect>> {
  const controller = new AbortController();
  try {
    const answer = run(controller.signal);
    // Work that answers at once needs neither timers nor another turn of the loop.
    if (!isPromise(answer)) return outcomeOfAnswer(answer);
    return outcomeOfAnswer(await withDeadline(answer, controller, options));
  } catch (error) {
    return outcomeOfThrow(options.kind, error);
  }
}

/** Another library's promise counts as one, too. */
function isPromise<Value>(answer: Value | PromiseLike<Value>): answer is PromiseLike<Value> {
  const { then } = (answer ?? {}) as { then?: unknown };
  return typeof then === 'function';
}

async function withDeadline<Effect>(
  answer: PromiseLike<HandlerAnswer<Effect>>,
  controller: AbortController,
  options: RunOptions,
): Promise<HandlerAnswer<Effect>> {
  const long = setTimeout(() => options.onLong?.(), LONG_MS);
  let overdue: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    overdue = setTimeout(() => {
      const error = new DeadlineExceeded(`no answer within ${options.deadlineMs} ms`);
      controller.abort(error);
      reject(error);
    }, options.deadlineMs);
  });
  try {
    return await Promise.race([answer, deadline]);
  } finally {
    clearTimeout(long);
    clearTimeout(overdue);
  }
}
