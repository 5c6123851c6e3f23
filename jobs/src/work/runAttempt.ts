/** One attempt: the handler under a deadline, its answer or its throw as an outcome. */
import type { Handler, Job, Outcome } from './handler.ts';

export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
}

export interface RunOptions {
  /** Must be shorter than the broker's ack timeout (30 minutes). */
  readonly deadlineMs: number;
  /** Called once where the attempt is still running after a second. */
  readonly onLong: () => void;
}

const LONG_MS = 1_000;

/** Never rejects. A throw is a retry: this is the one place where it is mapped. */
export async function runAttempt(
  handler: Handler,
  job: Omit<Job, 'signal'>,
  options: RunOptions,
): Promise<Outcome<unknown>> {
  const controller = new AbortController();
  try {
    const answer = handler.run({ ...job, signal: controller.signal });
    // Work that answers at once needs neither timers nor another turn of the loop.
    if (!(answer instanceof Promise)) return answer;
    return await withDeadline(answer, controller, options);
  } catch (error) {
    return { type: 'retry', error };
  }
}

async function withDeadline(
  answer: Promise<Outcome<unknown>>,
  controller: AbortController,
  options: RunOptions,
): Promise<Outcome<unknown>> {
  const long = setTimeout(options.onLong, LONG_MS);
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
