/** One attempt: determines which attempt a delivery is, and runs its handler with a deadline. */
import type { Delivery } from '../amqp/delivery.ts';
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import type { BrokerProfile } from '../plan/brokerProfile.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import { type Attempt, attemptOf } from '../retry/attempt.ts';
import { crashesOf } from '../retry/crashRisk.ts';
import {
  type HandlerResult,
  type Outcome,
  outcomeOfResult,
  outcomeOfThrow,
} from '../retry/outcome.ts';
import { hasForgedDeaths } from '../retry/xDeath.ts';

/** The message crashed more workers than its kind allows. */
export class CrashLimitExceeded extends Error {
  override readonly name = 'CrashLimitExceeded';
}

/** What the attempt of a delivery depends on. */
export interface AttemptContext {
  readonly kind: PlannedKind;
  /** Profile of the broker; undefined before the first connection, when there are no deliveries. */
  readonly broker: BrokerProfile | undefined;
}

/** @throws CrashLimitExceeded; Error if a broker cannot have written these headers or this routing key for the kind. */
export function readAttempt(
  { kind, broker }: AttemptContext,
  delivery: Pick<Delivery, 'headers' | 'routingKey' | 'isRedelivered' | 'unreadableReason'>,
): Attempt {
  const { headers, routingKey, unreadableReason } = delivery;
  if (unreadableReason !== undefined)
    throw new Error(`its headers cannot be read: ${unreadableReason}`);
  // Rejecting such a message would stop the broker's dead-lettering, so it is published as a dead letter instead.
  if (broker !== undefined && hasForgedDeaths(broker, headers))
    throw new Error('its x-death was not written by a broker');
  // The broker enforces the limit itself; this check is needed if somebody removed the policy.
  const crashCount = broker === undefined ? 0 : crashesOf(broker, kind, delivery);
  if (crashCount > kind.crashLimit)
    throw new CrashLimitExceeded(`${crashCount} crashes exceed the limit ${kind.crashLimit}`);
  const attempt = attemptOf(kind, routingKey, headers);
  if (attempt === undefined) throw new Error(`routing key '${routingKey}' is none of this kind's`);
  return attempt;
}

/** The handler had no result within its deadline, so the attempt counts as failed. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
}

/** How one attempt runs. */
export interface RunOptions {
  readonly kind: Pick<KindDeclaration, 'nonRetryable'>;
  /** Milliseconds; must be shorter than the broker's acknowledgement timeout of 30 minutes. */
  readonly deadlineMs: number;
  /** Called once if the attempt is still running after a second. */
  readonly onLong?: (() => void) | undefined;
}

/** The work of an attempt. Its signal is aborted at the deadline; work that ignores it is abandoned. */
export type Run<Effect> = (
  signal: AbortSignal,
) => HandlerResult<Effect> | Promise<HandlerResult<Effect>>;

const LONG_MS = 1_000;

/**
 * Runs the work and never rejects. A thrown error, or a result that is not an outcome, becomes an outcome here: retry, or
 * reject if the kind lists the error class as not retryable.
 */
export async function runAttempt<Effect>(
  run: Run<Effect>,
  options: RunOptions,
): Promise<Outcome<Effect>> {
  const controller = new AbortController();
  try {
    const answer = run(controller.signal);
    // A handler that returns its result at once needs neither timers nor an await.
    if (!isPromise(answer)) return outcomeOfResult(answer);
    return outcomeOfResult(await withDeadline(answer, controller, options));
  } catch (error) {
    return outcomeOfThrow(options.kind, error);
  }
}

/** Promises of other libraries are accepted too. */
function isPromise<Value>(answer: Value | PromiseLike<Value>): answer is PromiseLike<Value> {
  const { then } = (answer ?? {}) as { then?: unknown };
  return typeof then === 'function';
}

async function withDeadline<Effect>(
  answer: PromiseLike<HandlerResult<Effect>>,
  controller: AbortController,
  options: RunOptions,
): Promise<HandlerResult<Effect>> {
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
