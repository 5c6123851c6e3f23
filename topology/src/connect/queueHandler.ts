/** A handler of messages by name as a queue worker runs it: the same on a broker and in a simulation. */
import type { Delivery } from '../amqp/index.ts';
import type { RetryPolicy } from '../define/defineTopology.ts';
import { checkBody, type Messages } from '../define/messages.ts';
import { waitQueue } from '../plan/names.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import { messageName } from '../retry/messageName.ts';
import {
  errorMessage,
  type HandlerResult,
  type Hold,
  InvalidOutcome,
  type Outcome,
  outcomeOfResult,
  retry,
} from '../retry/outcome.ts';
import type { AttemptEnd, AttemptResult, Task } from '../work/index.ts';
import { isGivenBack } from '../work/performStep.ts';
import { isPromise } from '../work/runAttempt.ts';
import {
  type AttemptInfo,
  type Hooks,
  RunNotCalled,
  runThroughHooks,
  type TopologyEvent,
} from './hooks.ts';

/** What is known of a message without its body. */
export interface MessageFields {
  /** Name of the message. */
  readonly type: string;
  /** Id of the message; empty if its publisher set none. */
  readonly id: string;
  /** Headers as delivered. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970 at which it arrived, by this machine's clock. */
  readonly receivedAtMs: number;
  /** Seconds since 1970 at which it was published; undefined if its publisher did not say so. */
  readonly publishedAtSeconds: number | undefined;
  /** True if the broker delivered it before. */
  readonly isRedelivered: boolean;
}

/** A message whose name is known and whose body is checked. */
export interface ReadMessage<Body = unknown> extends MessageFields {
  /** Checked by its schema. */
  readonly body: Body;
}

/** A message as it arrived. */
export interface RawMessage extends MessageFields {
  /** As published. */
  readonly body: Uint8Array;
}

/** An attempt that ended, before its message is acknowledged or moved on. */
export interface SettledAttempt<Effect, Body = unknown> {
  readonly outcome: Outcome<Effect>;
  readonly attempt: AttemptInfo;
  /** Name, id, checked body and headers of the message. */
  readonly message: ReadMessage<Body>;
  /** What follows: acknowledged, waits, dead. */
  readonly next: 'ack' | 'wait' | 'dead';
  /** Milliseconds of the wait that follows. */
  readonly waitMs: number | undefined;
  /** Name on the broker of the queue in which it waits; undefined where none follows, and with the native back end. */
  readonly waitQueue: string | undefined;
  /** Rounds that are over if a wait follows, those included that a longer wait skips; see `spent` of `publish`. */
  readonly spent: number;
  /** False once the message went back to its queue, because of a lost connection or a stop: it is delivered again. */
  readonly isCurrent: boolean;
  readonly startedAt: Date;
  readonly endedAt: Date;
}

/**
 * What `settle` needs of a promise. A worker that collects thousands of messages a second may return an object of its own: a
 * promise for each of them costs it a tenth of its processor time (measured).
 */
export interface Thenable<Value> {
  /** Called once, at once. Calls one of the two once. */
  then(onValue: (value: Value) => void, onError: (error: unknown) => void): unknown;
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
  ) => Answer<Outcome<Effect> | Hold>;
  readonly onError:
    | ((error: unknown, attempt: AttemptInfo) => Outcome<never> | Hold | undefined)
    | undefined;
  /** Bytes → what the schema checks; undefined: JSON. */
  readonly decode: ((message: RawMessage) => unknown) | undefined;
  readonly settle:
    | ((
        end: SettledAttempt<Effect>,
      ) => Outcome<never> | undefined | Thenable<Outcome<never> | undefined>)
    | undefined;
  readonly onReturned: ((end: SettledAttempt<Effect>) => void) | undefined;
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
class DeliveredMessage implements ReadMessage {
  /**
   * Making a signal costs more than most handlers, so it is made when it is first read. The accessor belongs to each message,
   * because `{ ...message }` copies nothing else; one function for all of them costs a third of one for each (measured).
   */
  static readonly #SIGNAL = {
    enumerable: true,
    get(this: DeliveredMessage): AbortSignal | undefined {
      return this.#task?.signal;
    },
  };
  // A field that is not only declared would be added before the accessor.
  declare readonly type: string;
  declare readonly body: unknown;
  declare readonly id: string;
  declare readonly headers: Readonly<Record<string, unknown>>;
  declare readonly receivedAtMs: number;
  declare readonly publishedAtSeconds: number | undefined;
  declare readonly isRedelivered: boolean;
  /** Undefined until its attempt begins. */
  declare attempt: AttemptInfo | undefined;
  declare readonly signal: AbortSignal;
  #task: Task<ReadMessage> | undefined;

  constructor(fields: MessageFields, body: unknown) {
    // The first property: to add an accessor to an object that has others takes three times as long (measured).
    Object.defineProperty(this, 'signal', DeliveredMessage.#SIGNAL);
    this.type = fields.type;
    this.body = body;
    this.id = fields.id;
    this.headers = fields.headers;
    this.receivedAtMs = fields.receivedAtMs;
    this.publishedAtSeconds = fields.publishedAtSeconds;
    this.isRedelivered = fields.isRedelivered;
    this.attempt = undefined;
  }

  /** @returns what the handler gets: this message, or a copy of it where an earlier repeat got this one. */
  of(task: Task<ReadMessage>, attempt: AttemptInfo): HandedMessage {
    const message = this.attempt === undefined ? this : new DeliveredMessage(this, this.body);
    message.attempt = attempt;
    message.#task = task;
    return message as HandedMessage;
  }
}

type HandedMessage = ReadMessage & { readonly attempt: AttemptInfo; readonly signal: AbortSignal };

/** What `settle` gets: made for each message, so what most callers do not ask for is computed when it is read. */
class EndedAttempt<Effect> implements SettledAttempt<Effect> {
  readonly outcome: Outcome<Effect>;
  readonly attempt: AttemptInfo;
  readonly message: ReadMessage;
  readonly startedAt: Date;
  readonly endedAt: Date;
  readonly #result: AttemptResult<ReadMessage, Effect>;

  constructor(result: AttemptResult<ReadMessage, Effect>, attempt: AttemptInfo) {
    this.outcome = result.outcome;
    this.attempt = attempt;
    this.message = result.message;
    this.startedAt = result.startedAt;
    this.endedAt = result.endedAt;
    this.#result = result;
  }

  get next(): 'ack' | 'wait' | 'dead' {
    const { type } = this.#result.step;
    if (type === 'wait' || type === 'skip') return 'wait';
    return type === 'deadLetter' || type === 'exhaust' ? 'dead' : 'ack';
  }

  get waitMs(): number | undefined {
    const { step } = this.#result;
    return 'delayMs' in step ? step.delayMs : undefined;
  }

  get waitQueue(): string | undefined {
    const { kind, step, attempt } = this.#result;
    if (kind.backend === 'native') return undefined;
    if (step.type === 'wait') return waitQueue(kind, attempt.number);
    return step.type === 'skip' ? waitQueue(kind, step.tier) : undefined;
  }

  get spent(): number {
    const { step, attempt } = this.#result;
    return step.type === 'skip' ? step.tier : attempt.number;
  }

  get isCurrent(): boolean {
    return !isGivenBack(this.#result.delivery);
  }
}

/** @returns what a queue worker runs for this handler. */
export function queueHandler<Effect>(parts: HandlerParts<Effect>): QueueHandler<Effect> {
  const { name, tell } = parts;
  const schemas = new Map(Object.entries(parts.messages));
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
      nextDelayMs: isLast ? undefined : task.attempt.nextDelayMs,
      queue: name,
      id: task.message.id,
    };
  };
  /** The last attempt of each delivery, which repeats make another one than its first. */
  const infos = new WeakMap<Delivery, AttemptInfo>();

  return {
    read: (delivery, kind) => {
      const type = messageName(kind, delivery);
      const schema = type === undefined ? undefined : schemas.get(type);
      if (type === undefined || schema === undefined)
        throw new Error(
          `'${type ?? delivery.routingKey}' is none of the messages of this topology`,
        );
      const raw: RawMessage = {
        type,
        id: delivery.messageId ?? '',
        headers: delivery.headers,
        receivedAtMs: delivery.receivedAtMs,
        publishedAtSeconds: delivery.publishedAtSeconds,
        isRedelivered: delivery.isRedelivered,
        body: delivery.body,
      };
      const decoded = parts.decode === undefined ? parsed(type, delivery.body) : parts.decode(raw);
      const checked = isPromise(decoded)
        ? Promise.resolve(decoded).then((body: unknown) => checkBody(type, schema, body))
        : checkBody(type, schema, decoded);
      return checked instanceof Promise
        ? checked.then((body: unknown) => new DeliveredMessage(raw, body))
        : new DeliveredMessage(raw, checked);
    },
    run: isPlain ? runOnce : runAll,
    settle: (end) => {
      tellEnd(end);
      if (parts.settle === undefined) end.settleDelivery();
      else settleEnd(end, parts.settle);
    },
    onUnconfirmed: (result) => {
      tellEnd(result);
      parts.onReturned?.(new EndedAttempt(result, infoOfEnd(result)));
    },
  };

  function infoOfEnd(result: AttemptResult<ReadMessage, Effect>): AttemptInfo {
    const { message } = result;
    const latest = isPlain ? undefined : infos.get(result.delivery);
    if (latest !== undefined) return latest;
    return (message instanceof DeliveredMessage ? message.attempt : undefined) ?? infoOf(result, 0);
  }

  /** Without repeats and hooks a handler that answers at once makes no promise: one for each message slows a worker. */
  function runOnce(
    task: Task<ReadMessage>,
  ): Outcome<Effect> | Hold | Promise<Outcome<Effect> | Hold> {
    const attempt = infoOf(task, 0);
    try {
      const answer = parts.handler(handed(task, attempt));
      if (!isPromise(answer)) return outcomeOfResult(answer);
      return Promise.resolve(answer)
        .then(outcomeOfResult)
        .catch((error: unknown) => failed(error, attempt));
    } catch (error) {
      return failed(error, attempt);
    }
  }

  function handed(task: Task<ReadMessage>, attempt: AttemptInfo): HandedMessage {
    const { message } = task;
    const delivered =
      message instanceof DeliveredMessage ? message : new DeliveredMessage(message, message.body);
    return delivered.of(task, attempt);
  }

  async function runAll(task: Task<ReadMessage>): Promise<Outcome<Effect> | Hold> {
    const repeats = task.attempt.number === 1 ? immediate : 0;
    for (let repeat = 0; ; repeat += 1) {
      const attempt = infoOf(task, repeat);
      infos.set(task.delivery, attempt);
      const outcome = await attemptOnce(task, attempt);
      if (outcome.type === 'hold') return outcome;
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
  ): Promise<Outcome<Effect> | Hold> {
    const message = handed(task, attempt);
    const wrappers = parts.hooks.flatMap(({ aroundAttempt }) =>
      aroundAttempt === undefined
        ? []
        : [
            (inner: () => Promise<Outcome<Effect> | Hold>) =>
              aroundAttempt(attempt, message, inner),
          ],
    );
    const run = async (): Promise<Outcome<Effect> | Hold> =>
      outcomeOfResult(await parts.handler(message));
    try {
      return await runThroughHooks(wrappers, run, parts.onHookError);
    } catch (error) {
      return error instanceof RunNotCalled ? retry(error) : failed(error, attempt);
    }
  }

  function failed(error: unknown, attempt: AttemptInfo): Outcome<never> | Hold {
    if (error instanceof InvalidOutcome) tell({ type: 'invalidOutcome', queue: name, error });
    return outcomeOfError(error, attempt);
  }

  function outcomeOfError(error: unknown, attempt: AttemptInfo): Outcome<never> | Hold {
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
    const attempt = infoOfEnd(result);
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
    const type = 'attempt';
    switch (outcome.type) {
      case 'done':
        tell({
          type,
          queue: name,
          message: message.type,
          outcome: 'done',
          durationMs,
          attempt,
        });
        return;
      case 'discard':
        tell({
          type,
          queue: name,
          message: message.type,
          outcome: 'discard',
          reason: outcome.reason,
          durationMs,
          attempt,
        });
        return;
      case 'retry':
      case 'reject':
        tell({
          type,
          queue: name,
          message: message.type,
          outcome: outcome.type,
          ...('error' in outcome ? { error: outcome.error } : {}),
          durationMs,
          attempt,
        });
    }
  }

  /** A promise is handled only where `settle` returns one. */
  function settleEnd(
    end: AttemptEnd<ReadMessage, Effect>,
    settle: NonNullable<HandlerParts<Effect>['settle']>,
  ): void {
    try {
      const answer = settle(new EndedAttempt(end, infoOfEnd(end)));
      if (isThenable(answer))
        answer.then(
          (late) => {
            settleAs(end, late);
          },
          (error: unknown) => {
            failEnd(end, error);
          },
        );
      else settleAs(end, answer);
    } catch (error) {
      failEnd(end, error);
    }
  }

  /** @param answer takes the place of the outcome; undefined: settled as the outcome says. */
  function settleAs(
    end: AttemptEnd<ReadMessage, Effect>,
    answer: Outcome<never> | undefined,
  ): void {
    switch (answer?.type) {
      case 'reject':
        end.refuse(answer.error).catch((error: unknown) => {
          failEnd(end, error);
        });
        return;
      case 'retry':
        retryDelivery(end);
        return;
      case 'done':
      case 'discard':
        end.delivery.ack();
        return;
      default:
        end.settleDelivery();
    }
  }

  function failEnd(end: AttemptEnd<ReadMessage, Effect>, error: unknown): void {
    tell({ type: 'settleFailed', queue: name, error });
    retryDelivery(end);
  }

  function retryDelivery(end: AttemptEnd<ReadMessage, Effect>): void {
    // A copy was published already, so the delivery itself must go; otherwise the attempt failed, and is tried again.
    if (end.step.type === 'skip' || end.step.type === 'deadLetter') end.settleDelivery();
    else if (end.kind.backend === 'native' && !end.attempt.isLast)
      end.delivery.rejectForNativeRetry();
    else end.delivery.nackToDeadLetterExchange();
  }
}

function isThenable<Value>(answer: Value | Thenable<Value>): answer is Thenable<Value> {
  return isPromise<unknown>(answer);
}

function parsed(type: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new Error(`the body of '${type}' is no JSON`, { cause });
  }
}
