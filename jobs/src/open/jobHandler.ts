/** Makes the handler of a kind of what somebody opened: checks by schemas, errors as outcomes, the result as the effect. */
import type { Outcome } from '@fit/topology';
import type { PayloadCheck } from '../record/jobMessage.ts';
import type { ResultDocument } from '../store/resultStore.ts';
import type { Job } from '../work/handler.ts';
import { checkValue, type JobKind } from './jobKinds.ts';
import { JobRefused } from './jobRefused.ts';

/** Which attempt of a job this is. */
export interface JobAttempt {
  /** Counted from 1. */
  readonly number: number;
  /** Attempts that the job has at most. */
  readonly of: number;
  readonly isLast: boolean;
}

/** What a handler gets. */
export interface JobTask<Payload = unknown> {
  readonly id: string;
  readonly key: string;
  readonly payload: Payload;
  readonly attempt: JobAttempt;
  /** Aborted at the deadline, and by a stop whose time is up. */
  readonly signal: AbortSignal;
}

export type JobErrorMapper = (error: unknown, attempt: JobAttempt) => Outcome<never> | undefined;

export interface KindWork {
  readonly kind: JobKind;
  /** Waits between attempts of the kind. */
  readonly delayCount: number;
  readonly run: (task: JobTask) => unknown;
  /** What an error of the handler means; undefined: a retry. */
  readonly onError: JobErrorMapper | undefined;
}

/** A body within the bounds of a message is accepted: a schema may be asynchronous, so it is asked when the attempt begins. */
export const ANY_PAYLOAD: PayloadCheck<unknown> = {
  accepts: (value): value is unknown => value !== undefined,
  fault: () => '',
};

/**
 * Runs one attempt.
 * @throws whatever the handler throws and `onError` does not map: the attempt counts as failed.
 */
export async function runAttempt(
  { kind, delayCount, run, onError }: KindWork,
  job: Pick<Job, 'id' | 'kind' | 'payload' | 'attempt' | 'signal'>,
): Promise<Outcome<ResultDocument>> {
  const payload = await checkValue(kind.payload, job.payload);
  if (payload.fault !== undefined)
    return { type: 'reject', error: new JobRefused('PAYLOAD_INVALID', payload.fault) };
  const attempt = {
    number: job.attempt,
    of: delayCount + 1,
    isLast: job.attempt > delayCount,
  };
  let answer: unknown;
  try {
    answer = await run({
      id: job.id,
      key: job.id.slice(job.kind.length + 1),
      payload: payload.value,
      attempt,
      // Reading the signal makes it, so it is read only by a handler that needs it.
      get signal() {
        return job.signal;
      },
    });
  } catch (error) {
    const outcome = onError?.(error, attempt);
    if (outcome === undefined) throw error;
    return outcome;
  }
  if (kind.result === undefined) return { type: 'done' };
  const result = await checkValue(kind.result, answer);
  // A handler that returns a wrong result has a defect, which further attempts would repeat.
  if (result.fault !== undefined)
    return { type: 'reject', error: new TypeError(`the result is wrong: ${result.fault}`) };
  return { type: 'done', effect: { _id: job.id, result: asJson(result.value) } };
}

/** @returns the value as JSON has it, so that records, messages and answers agree: a Date is text, undefined is null. */
export function asJson(value: unknown): unknown {
  // JSON.stringify returns undefined for undefined and functions, although its type does not say so.
  const json = JSON.stringify(value) as string | undefined;
  return json === undefined ? null : (JSON.parse(json) as unknown);
}
