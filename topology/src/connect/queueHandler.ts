/** A handler of messages by name as a queue worker runs it: the same on a broker and in a simulation. */
import type { Delivery } from '../amqp/index.ts';
import type { RetryPolicy } from '../define/defineTopology.ts';
import { checkBody, type Messages } from '../define/messages.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import { messageName } from '../retry/messageName.ts';
import {
  errorMessage,
  type HandlerResult,
  InvalidOutcome,
  type Outcome,
  outcomeOfResult,
  retry,
} from '../retry/outcome.ts';
import type { AttemptEnd, AttemptResult, Task } from '../work/index.ts';
import { isPromise } from '../work/runAttempt.ts';
import {
  type AttemptInfo,
  type Hooks,
  RunNotCalled,
  runThroughHooks,
  type TopologyEvent,
} from './hooks.ts';

/** A message whose name is known and whose body is checked. */
export interface ReadMessage {
  /** Name of the message. */
  readonly type: string;
  /** Checked by its schema. */
  readonly body: unknown;
  /** Id of the message; empty if its publisher set none. */
  readonly id: string;
  /** Headers as delivered. */
  readonly headers: Readonly<Record<string, unknown>>;
}

type Answer<Value> = Value | undefined | PromiseLike<Value | undefined>;

/** What a handler stands on, without the types of its messages. */
export interface HandlerParts<Effect> {
  readonly messages: Messages;
  /** Name of the queue in the topology. */
  readonly name: string;
  readonly retry: RetryPolicy;
  readonly handler: (
    message: ReadMessage & { readonly attempt: AttemptInfo; readonly signal: AbortSignal },
  ) => Answer<Outcome<Effect>>;
  readonly onError:
    | ((error: unknown, attempt: AttemptInfo) => Outcome<never> | undefined)
    | undefined;
  readonly settle:
    | ((end: {
        readonly outcome: Outcome<Effect>;
        readonly attempt: AttemptInfo;
        readonly message: ReadMessage;
        readonly next: 'ack' | 'wait' | 'dead';
        readonly waitMs: number | undefined;
        readonly startedAt: Date;
        readonly endedAt: Date;
      }) => Answer<Outcome<never>>)
    | undefined;
  readonly hooks: readonly Hooks[];
  /** Is told what a hook threw by itself after it had called `run`. */
  readonly onHookError: (error: unknown) => void;
  readonly tell: (event: TopologyEvent) => void;
}

/** The parts of `QueueWorkerOptions` that a handler makes. */
export interface QueueHandler<Effect> {
  readonly read: (delivery: Delivery, kind: PlannedKind) => ReadMessage | Promise<ReadMessage>;
  readonly run: (task: Task<ReadMessage>) => HandlerResult<Effect> | Promise<HandlerResult<Effect>>;
  readonly settle: (end: AttemptEnd<ReadMessage, Effect>) => void;
  readonly onUnconfirmed: (result: AttemptResult<ReadMessage, Effect>) => void;
}

/** A message as its handler gets it. */
class DeliveredMessage {
  /**
   * Making a signal costs more than most handlers, so it is made when it is first read. The accessor belongs to each message,
   * because `{ ...message }` copies nothing else; one function for all of them costs a third of one for each (measured).
   */
  static readonly #SIGNAL = {
    enumerable: true,
    get(this: DeliveredMessage): AbortSignal {
      return this.#task.signal;
    },
  };
  readonly type: string;
  readonly body: unknown;
  readonly id: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly attempt: AttemptInfo;
  declare readonly signal: AbortSignal;
  readonly #task: Task<ReadMessage>;

  constructor(task: Task<ReadMessage>, attempt: AttemptInfo) {
    const { type, body, id, headers } = task.message;
    this.type = type;
    this.body = body;
    this.id = id;
    this.headers = headers;
    this.attempt = attempt;
    this.#task = task;
    Object.defineProperty(this, 'signal', DeliveredMessage.#SIGNAL);
  }
}

/** @returns what a queue worker runs for this handler. */
export function queueHandler<Effect>(parts: HandlerParts<Effect>): QueueHandler<Effect> {
  const { messages, name, tell } = parts;
  const rounds = parts.retry.delays.length + 1;
  const immediate = parts.retry.immediate ?? 0;
  const isPlain = immediate === 0 && parts.hooks.every((one) => one.aroundAttempt === undefined);
  const isHeard = parts.hooks.some((one) => one.onEvent !== undefined);
  const infoOf = (task: Pick<Task<ReadMessage>, 'attempt' | 'message'>, repeat: number) => {
    const { number, isLast } = task.attempt;
    return {
      number: number === 1 ? 1 + repeat : number + immediate,
      of: rounds + immediate,
      isLast: isLast && (number > 1 || repeat >= immediate),
      queue: name,
      id: task.message.id,
    };
  };
  /** The last attempt of each delivery, which repeats make another one than its first. */
  const infos = new WeakMap<Delivery, AttemptInfo>();

  return {
    read: (delivery, kind) => {
      const type = messageName(kind, delivery);
      const schema =
        type !== undefined && Object.hasOwn(messages, type) ? messages[type] : undefined;
      if (type === undefined || schema === undefined)
        throw new Error(
          `'${type ?? delivery.routingKey}' is none of the messages of this topology`,
        );
      const checked = checkBody(type, schema, parsed(type, delivery.body));
      const { messageId: id = '', headers } = delivery;
      return checked instanceof Promise
        ? checked.then((body: unknown) => ({ type, body, id, headers }))
        : { type, body: checked, id, headers };
    },
    run: isPlain ? runOnce : runAll,
    settle: (end) => {
      tellEnd(end);
      if (parts.settle === undefined) end.settleDelivery();
      else void settleEnd(end, parts.settle);
    },
    onUnconfirmed: tellEnd,
  };

  /** Without repeats and hooks a handler that answers at once makes no promise: one for each message slows a worker. */
  function runOnce(task: Task<ReadMessage>): Outcome<Effect> | Promise<Outcome<Effect>> {
    const attempt = infoOf(task, 0);
    try {
      const answer = parts.handler(new DeliveredMessage(task, attempt));
      if (!isPromise(answer)) return outcomeOfResult(answer);
      return Promise.resolve(answer)
        .then(outcomeOfResult)
        .catch((error: unknown) => failed(error, attempt));
    } catch (error) {
      return failed(error, attempt);
    }
  }

  async function runAll(task: Task<ReadMessage>): Promise<Outcome<Effect>> {
    const repeats = task.attempt.number === 1 ? immediate : 0;
    for (let repeat = 0; ; repeat += 1) {
      const attempt = infoOf(task, repeat);
      infos.set(task.delivery, attempt);
      const outcome = await attemptOnce(task, attempt);
      const mayRepeat = outcome.type === 'retry' && outcome.after === undefined;
      // After a deadline or a stop the message is retried without this attempt, and perhaps by another worker.
      const isOver = task.isAborted || task.delivery.isSettled || !task.delivery.isCurrent;
      if (!mayRepeat || repeat >= repeats || isOver) return outcome;
      tellAttempt(task.message, attempt, outcome, 0);
    }
  }

  async function attemptOnce(
    task: Task<ReadMessage>,
    attempt: AttemptInfo,
  ): Promise<Outcome<Effect>> {
    const message = new DeliveredMessage(task, attempt);
    const wrappers = parts.hooks.flatMap(({ aroundAttempt }) =>
      aroundAttempt === undefined
        ? []
        : [(inner: () => Promise<Outcome<Effect>>) => aroundAttempt(attempt, message, inner)],
    );
    const run = async (): Promise<Outcome<Effect>> => outcomeOfResult(await parts.handler(message));
    try {
      return await runThroughHooks(wrappers, run, parts.onHookError);
    } catch (error) {
      return error instanceof RunNotCalled ? retry(error) : failed(error, attempt);
    }
  }

  function failed(error: unknown, attempt: AttemptInfo): Outcome<never> {
    if (error instanceof InvalidOutcome) tell({ type: 'invalidOutcome', queue: name, error });
    return outcomeOfError(error, attempt);
  }

  function outcomeOfError(error: unknown, attempt: AttemptInfo): Outcome<never> {
    try {
      const outcome = parts.onError?.(error, attempt);
      return outcome === undefined ? retry(error) : outcomeOfResult(outcome);
    } catch (second) {
      // What onError throws, or returns in place of an outcome, must not hide that the attempt failed.
      return retry(second);
    }
  }

  function tellEnd(result: AttemptResult<ReadMessage, Effect>): void {
    if (!isHeard) return;
    const { message, outcome, step, startedAt, endedAt } = result;
    const attempt = infos.get(result.delivery) ?? infoOf(result, 0);
    tellAttempt(message, attempt, outcome, endedAt.getTime() - startedAt.getTime());
    if (step.type !== 'deadLetter' && step.type !== 'exhaust') return;
    const error = 'error' in outcome ? errorMessage(outcome.error) : undefined;
    tell({
      type: 'deadLettered',
      queue: name,
      cause: step.type === 'exhaust' ? 'exhausted' : 'fatal',
      ...(error === undefined ? {} : { error }),
    });
  }

  function tellAttempt(
    message: ReadMessage,
    attempt: AttemptInfo,
    outcome: Outcome,
    durationMs: number,
  ): void {
    if (!isHeard) return;
    tell({
      type: 'attempt',
      queue: name,
      message: message.type,
      outcome: outcome.type,
      ...('error' in outcome ? { error: outcome.error } : {}),
      ...('reason' in outcome ? { reason: outcome.reason } : {}),
      durationMs,
      attempt,
    });
  }

  async function settleEnd(
    end: AttemptEnd<ReadMessage, Effect>,
    settle: NonNullable<HandlerParts<Effect>['settle']>,
  ): Promise<void> {
    const { outcome, message, step, startedAt, endedAt } = end;
    const attempt = infos.get(end.delivery) ?? infoOf(end, 0);
    const waits = step.type === 'wait' || step.type === 'skip';
    const isDead = step.type === 'deadLetter' || step.type === 'exhaust';
    try {
      const answer = await settle({
        outcome,
        attempt,
        message,
        next: waits ? 'wait' : isDead ? 'dead' : 'ack',
        waitMs: waits ? step.delayMs : undefined,
        startedAt,
        endedAt,
      });
      if (answer?.type === 'reject') await end.refuse(answer.error);
      else end.settleDelivery();
    } catch (error) {
      tell({ type: 'settleFailed', queue: name, error });
      // A copy was published already, so the delivery itself must go; otherwise the attempt failed, and is tried again.
      if (step.type === 'skip' || step.type === 'deadLetter') end.settleDelivery();
      else if (end.kind.backend === 'native' && !end.attempt.isLast)
        end.delivery.rejectForNativeRetry();
      else end.delivery.nackToDeadLetterExchange();
    }
  }
}

function parsed(type: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new Error(`the body of '${type}' is no JSON`, { cause });
  }
}
