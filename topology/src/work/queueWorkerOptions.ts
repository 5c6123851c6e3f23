/** What a queue worker is given, and what it reports. */
import type { Delivery, PublishEnd, SessionEvent } from '../amqp/index.ts';
import type { TopologyMaintainerOptions } from '../assert/index.ts';
import type { Declaration, KindsOptions } from '../declaration/declareTopology.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import type { Attempt } from '../retry/attempt.ts';
import type { NextStep } from '../retry/nextStep.ts';
import type { HandlerResult, Outcome } from '../retry/outcome.ts';
import type { CircuitBreakerOptions, CircuitBreakerState } from './circuitBreaker.ts';
import type { QuarantineMode } from './quarantine.ts';

/** A message whose attempt begins. */
export interface Task<Message> {
  /** What `read` made of the delivery. */
  readonly message: Message;
  /** Which attempt this is. */
  readonly attempt: Attempt;
  /** The delivery; the worker settles it. */
  readonly delivery: Delivery;
  /** Aborted at the deadline. It is made when it is first read, which costs more than most handlers: read it only if needed. */
  readonly signal: AbortSignal;
  /** True once the signal is aborted. Reading it does not make the signal. */
  readonly isAborted: boolean;
}

/** How an attempt ended. */
export interface AttemptResult<Message = unknown, Effect = unknown> {
  /** What `read` made of the delivery. */
  readonly message: Message;
  /** Its kind, as planned for this broker. */
  readonly kind: PlannedKind;
  /** Which attempt this was. */
  readonly attempt: Attempt;
  /** The delivery, not settled yet. */
  readonly delivery: Delivery;
  /** The result of the handler. */
  readonly outcome: Outcome<Effect>;
  /** What follows from outcome and attempt. */
  readonly step: NextStep;
  /** When the handler began. */
  readonly startedAt: Date;
  /** When the handler ended, or its deadline passed. */
  readonly endedAt: Date;
}

/** An attempt that ended. Whatever had to be published for its next step is confirmed already. */
export interface AttemptEnd<Message = unknown, Effect = unknown>
  extends AttemptResult<Message, Effect> {
  /** Settles the delivery. What must outlive the message is stored before. A second call does nothing. */
  readonly settleDelivery: () => void;
  /**
   * To be called instead of `settleDelivery` if the message cannot be processed: it is dead-lettered as malformed, with
   * this error. If the attempt has already published a copy, the message is only acknowledged.
   */
  readonly refuse: (error: unknown) => Promise<void>;
}

/** What to consume, and how. Only declaration, kind, broker and `run` are required. */
export interface QueueWorkerOptions<
  Message = Buffer,
  Effect = unknown,
  Kinds extends KindsOptions = KindsOptions,
> extends TopologyMaintainerOptions {
  /** What `declareTopology` returned. */
  readonly declaration: Declaration<Kinds>;
  /** Name of the kind whose queue is consumed. An unknown kind does not compile. */
  readonly kind: Extract<keyof Kinds, string>;
  /** Name on connections and dead letters; default a random id. */
  readonly id?: string;
  /** Unsettled deliveries at a time (basic.qos); default 50; 1 to 65,535. */
  readonly prefetchCount?: number;
  /** Handlers that run at a time; default and largest value the prefetch. */
  readonly concurrency?: number;
  /**
   * Suspect messages (held by several processes when these ended, see `CrashRisk`) that run at a time while a new
   * connection delivers no other messages; default 4; 1 to the prefetch. A higher value is faster after a crash; with a
   * lower value fewer messages count a crash when one of them crashes the process again.
   */
  readonly suspectConcurrency?: number;
  /** Milliseconds that one attempt may take; default the kind's deadline. */
  readonly deadlineMs?: number;
  /**
   * Pauses consuming when most attempts fail with the same error class; `false` switches the circuit breaker off. Default
   * on.
   */
  readonly circuitBreaker?: CircuitBreakerOptions | false;
  /**
   * Delivery → message, or a promise of it. An error that it throws, a rejection, and no answer within the deadline mean
   * malformed: the message is dead-lettered at once. Default: the body.
   */
  readonly read?: (delivery: Delivery, kind: PlannedKind) => Message | Promise<Message>;
  /**
   * The handler. Nothing returned means done. A thrown error means retry, or reject if the kind lists its class as not
   * retryable. A result that is not an outcome counts as a thrown error of class `InvalidOutcome`.
   */
  readonly run: (task: Task<Message>) => HandlerResult<Effect> | Promise<HandlerResult<Effect>>;
  /** Is called if an attempt is still running after a second. */
  readonly onLong?: (message: Message) => void;
  /** Stores what must be stored, then calls `settleDelivery`. Must not throw. Default: calls `settleDelivery` at once. */
  readonly settle?: (end: AttemptEnd<Message, Effect>) => void;
  /**
   * Is called for an attempt whose dead letter, or message for a later tier, the broker did not confirm. The delivery was
   * nacked, so the attempt ended like a retry, and nothing of it must be stored. It is called as well for an attempt that
   * ended after its message was given back, by a stop or a lost channel: no copy is published then, and the next step is a
   * wait of 0 ms.
   */
  readonly onUnconfirmed?: (result: AttemptResult<Message, Effect>) => void;
  /** Is called for each event of the worker. Must not throw. */
  readonly onEvent?: (event: WorkerEvent) => void;
  /** Is called for each event of its connections. Must not throw. */
  readonly onSession?: (event: SessionEvent) => void;
  /** Is called for each dead letter and each message for a later tier that it publishes. Must not throw. */
  readonly onPublish?: (end: PublishEnd) => void;
}

/** What happens to a worker; for logs and metrics. */
export type WorkerEvent =
  /** The broker delivered the message before; perhaps its worker crashed. */
  | { readonly type: 'redelivered'; readonly queue: string }
  /** Routing key and x-death disagree about the attempt, as they do after a message was published again. */
  | { readonly type: 'attemptMismatch'; readonly queue: string; readonly attempt: number }
  /** A message was dead-lettered before an attempt: malformed, or too many crashes. */
  | { readonly type: 'refused'; readonly queue: string; readonly reason: string }
  /** Messages are pulled one by one because of messages that may crash the process, or by the prefetch again. */
  | { readonly type: 'quarantine'; readonly queue: string; readonly mode: QuarantineMode }
  /** The circuit breaker has another state. */
  | {
      readonly type: 'circuitBreaker';
      readonly queue: string;
      readonly state: CircuitBreakerState;
    };
