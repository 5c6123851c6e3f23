/** One attempt: determines which attempt a delivery is, and runs its handler with a deadline. */
import type { Delivery } from '../amqp/delivery.ts';
import type { KindDeclaration } from '../declaration/declareTopology.ts';
import type { BrokerProfile } from '../plan/brokerProfile.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import { type Attempt, attemptOf } from '../retry/attempt.ts';
import { crashesOf } from '../retry/crashRisk.ts';
import {
  type HandlerResult,
  type Hold,
  type Outcome,
  outcomeOfResult,
  outcomeOfThrow,
} from '../retry/outcome.ts';
import { hasForgedDeaths } from '../retry/xDeath.ts';
import { type Clock, type ClockTimer, SYSTEM_CLOCK } from './clock.ts';
import type { Task } from './queueWorkerOptions.ts';

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

/** The worker was stopped, and the time that a stop gives to running attempts is over. */
export class WorkerStopped extends Error {
  override readonly name = 'WorkerStopped';
}

/** What the attempts of a worker have in common. */
export interface RunOptions<Message, Effect> {
  /** The handler. */
  readonly run: (
    task: RunningTask<Message>,
  ) => HandlerResult<Effect> | Promise<HandlerResult<Effect>>;
  readonly deadlines: Deadlines;
  /** Is called once if an attempt is still running after a second. */
  readonly onLong?: ((message: Message) => void) | undefined;
}

/**
 * A task as its handler sees it. Its signal is made when the handler first asks for it: an AbortController for each message
 * would cost more than most handlers, which never ask.
 */
export class RunningTask<Message> implements Task<Message> {
  readonly message: Message;
  readonly attempt: Attempt;
  readonly delivery: Delivery;
  #controller: AbortController | undefined;
  #abortReason: Error | undefined;

  constructor(message: Message, attempt: Attempt, delivery: Delivery) {
    this.message = message;
    this.attempt = attempt;
    this.delivery = delivery;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  get isAborted(): boolean {
    return this.#abortReason !== undefined;
  }

  /** Aborts the signal, also one that the handler asks for later. */
  abort(reason: Error): void {
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }
}

/**
 * Runs the handler; it neither throws nor rejects. A thrown error, or a result that is not an outcome, becomes an outcome
 * here: retry, or reject if the kind lists the error class as not retryable. Work that ignores its signal is abandoned at
 * the deadline.
 * @returns a promise only if the handler returns one, because a promise for each message would slow the worker.
 */
export function runAttempt<Message, Effect>(
  task: RunningTask<Message>,
  kind: Pick<KindDeclaration, 'nonRetryable'>,
  options: RunOptions<Message, Effect>,
): Outcome<Effect> | Hold | Promise<Outcome<Effect> | Hold> {
  try {
    const answer = options.run(task);
    return isPromise(answer) ? waitFor(answer, { task, kind, options }) : outcomeOfResult(answer);
  } catch (error) {
    return outcomeOfThrow(kind, error);
  }
}

/** @returns true also for promises of other libraries. */
export function isPromise<Value>(answer: Value | PromiseLike<Value>): answer is PromiseLike<Value> {
  const { then } = (answer ?? {}) as { then?: unknown };
  return typeof then === 'function';
}

/** @returns the answer. It rejects with `DeadlineExceeded` if there is none within the deadline. */
export function beforeDeadline<Value>(
  answer: PromiseLike<Value>,
  deadlines: Deadlines,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const running = deadlines.begin({
      onLong: () => undefined,
      onDeadline: (deadlineMs) => {
        reject(new DeadlineExceeded(`no answer within ${deadlineMs} ms`));
      },
    });
    void Promise.resolve(answer)
      .then(resolve, reject)
      .finally(() => deadlines.end(running));
  });
}

interface AttemptParts<Message, Effect> {
  readonly task: RunningTask<Message>;
  readonly kind: Pick<KindDeclaration, 'nonRetryable'>;
  readonly options: RunOptions<Message, Effect>;
}

function waitFor<Message, Effect>(
  answer: PromiseLike<HandlerResult<Effect>>,
  { task, kind, options }: AttemptParts<Message, Effect>,
): Promise<Outcome<Effect> | Hold> {
  const { deadlines, onLong } = options;
  return new Promise((resolve) => {
    const running = deadlines.begin({
      onLong: () => onLong?.(task.message),
      onDeadline: (deadlineMs) => {
        const error = new DeadlineExceeded(`no answer within ${deadlineMs} ms`);
        task.abort(error);
        resolve(outcomeOfThrow(kind, error));
      },
    });
    const end = (outcome: () => Outcome<Effect> | Hold) => {
      // The deadline has passed already, and the answer comes too late.
      if (!deadlines.end(running)) return;
      try {
        resolve(outcome());
      } catch (error) {
        resolve(outcomeOfThrow(kind, error));
      }
    };
    Promise.resolve(answer).then(
      (value) => {
        end(() => outcomeOfResult(value));
      },
      (error: unknown) => {
        end(() => outcomeOfThrow(kind, error));
      },
    );
  });
}

const LONG_MS = 1_000;

/** What an attempt does when it takes long. */
export interface DeadlineCallbacks {
  /** A second has passed. */
  readonly onLong: () => void;
  /** The deadline has passed: the attempt ends. */
  readonly onDeadline: (deadlineMs: number) => void;
}

/** An attempt whose answer is awaited. */
export interface RunningAttempt {
  readonly startedAtMs: number;
  readonly callbacks: DeadlineCallbacks;
  isLong: boolean;
}

/**
 * The deadlines of all running attempts of a worker, with one timer: two timers for each attempt cost more than a handler
 * that answers quickly. All attempts have the same deadline, so the one that began first is due first.
 */
export class Deadlines {
  readonly #deadlineMs: number;
  readonly #clock: Clock;
  /** In the order of their beginning. */
  readonly #running = new Set<RunningAttempt>();
  #timer: ClockTimer | undefined;
  /** When the timer is due; Infinity without one. */
  #checkAtMs = Infinity;

  /** @param deadlineMs must be shorter than the broker's acknowledgement timeout of 30 minutes. */
  constructor(deadlineMs: number, clock: Clock = SYSTEM_CLOCK) {
    this.#deadlineMs = deadlineMs;
    this.#clock = clock;
  }

  begin(callbacks: DeadlineCallbacks): RunningAttempt {
    const running = { startedAtMs: this.#clock.elapsedMs(), callbacks, isLong: false };
    this.#running.add(running);
    // A timer that waits for the deadline of an earlier attempt would see late that this one runs for long.
    const delayMs = Math.min(LONG_MS, this.#deadlineMs);
    if (this.#checkAtMs > running.startedAtMs + delayMs) {
      this.#timer?.cancel();
      this.#checkIn(delayMs);
    }
    return running;
  }

  /** @returns false if the deadline has passed already. */
  end(running: RunningAttempt): boolean {
    return this.#running.delete(running);
  }

  /** An abandoned attempt must not keep a process running whose worker is closed. */
  #checkIn(delayMs: number): void {
    this.#checkAtMs = this.#clock.elapsedMs() + delayMs;
    this.#timer = this.#clock.after(Math.ceil(delayMs), () => {
      this.#check();
    });
    this.#timer.unref();
  }

  #check(): void {
    const nowMs = this.#clock.elapsedMs();
    this.#timer = undefined;
    this.#checkAtMs = Infinity;
    let nextMs = Infinity;
    for (const running of this.#running) {
      const ageMs = nowMs - running.startedAtMs;
      if (ageMs >= this.#deadlineMs) {
        this.#running.delete(running);
        running.callbacks.onDeadline(this.#deadlineMs);
        continue;
      }
      if (!running.isLong && ageMs >= LONG_MS) {
        running.isLong = true;
        running.callbacks.onLong();
      }
      nextMs = Math.min(nextMs, this.#deadlineMs - ageMs);
      if (running.isLong) continue;
      // Those that began later are due later.
      nextMs = Math.min(nextMs, LONG_MS - ageMs);
      break;
    }
    if (nextMs < Infinity) this.#checkIn(nextMs);
  }
}
