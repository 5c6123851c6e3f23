/** What a worker is given, and what it tells. */
import type { Delivery, PublishEnd, SessionEvent } from '../amqp/index.ts';
import type { TopologyMaintainerOptions } from '../assert/index.ts';
import type { Declaration, KindsOptions } from '../declaration/declareTopology.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import type { Attempt } from '../retry/attempt.ts';
import type { CircuitBreakerOptions, CircuitBreakerState } from '../retry/breaker.ts';
import type { NextStep } from '../retry/nextStep.ts';
import type { HandlerAnswer, Outcome } from '../retry/outcome.ts';
import type { QuarantineMode } from './quarantine.ts';

/** A message in work. */
export interface Task<Message> {
  readonly message: Message;
  readonly attempt: Attempt;
  readonly delivery: Delivery;
  /** Aborted at the deadline. */
  readonly signal: AbortSignal;
}

/** What came of an attempt. */
export interface AttemptResult<Message = unknown, Effect = unknown> {
  readonly message: Message;
  readonly kind: PlannedKind;
  readonly attempt: Attempt;
  readonly delivery: Delivery;
  readonly outcome: Outcome<Effect>;
  readonly step: NextStep;
  readonly startedAt: Date;
  readonly endedAt: Date;
}

/** An attempt that ended. Whatever had to be published for its next step is confirmed already. */
export interface AttemptEnd<Message = unknown, Effect = unknown>
  extends AttemptResult<Message, Effect> {
  /** Tells the broker. What must outlive the message is stored before. A stale or second call is a no-op. */
  readonly answer: () => void;
  /**
   * In place of `answer`, where it turns out that the message is none to be worked on: it goes to the dead-letter queue as
   * malformed, with this reason. Where the attempt has published a copy already, the message is only acknowledged.
   */
  readonly refuse: (error: unknown) => Promise<void>;
}

/** What to work off, and how; only declaration, kind, broker and `run` are needed. */
export interface WorkerOptions<
  Message = Buffer,
  Effect = unknown,
  Kinds extends KindsOptions = KindsOptions,
> extends TopologyMaintainerOptions {
  readonly declaration: Declaration<Kinds>;
  /** Which kind's queue; one worker serves one. An unknown kind does not compile. */
  readonly kind: Extract<keyof Kinds, string>;
  /** Shown on connections and letters; default a random id. */
  readonly id?: string;
  /** Deliveries unsettled at a time; default 50. */
  readonly prefetchCount?: number;
  /** Handlers that run at a time; default the prefetch. */
  readonly concurrency?: number;
  /**
   * Messages that were held at the end of two or more processes, and run at a time while a new connection brings nothing
   * else; default 4, at least 1, at most the prefetch. More is faster after a crash, fewer spares more of them a further one.
   */
  readonly suspectConcurrency?: number;
  /** Bound of one attempt; default the kind's deadline. */
  readonly deadlineMs?: number;
  /** Pauses consuming when most attempts fail alike; `false` switches it off. Default on. */
  readonly circuitBreaker?: CircuitBreakerOptions | false;
  /**
   * Body → message. What it throws means malformed: parked in the dead-letter queue at once. Default: the body.
   */
  readonly read?: (delivery: Delivery) => Message;
  /**
   * The work. Nothing returned means done. A throw is a retry, or a reject where the kind lists its class as not retryable;
   * so is an answer that is no outcome, with an error of class `InvalidOutcome`.
   */
  readonly run: (task: Task<Message>) => HandlerAnswer<Effect> | Promise<HandlerAnswer<Effect>>;
  /** An attempt still runs after a second. */
  readonly onLong?: (message: Message) => void;
  /** Stores what must be stored, then calls `answer`. Must not throw. Default: answers at once. */
  readonly settle?: (end: AttemptEnd<Message, Effect>) => void;
  /**
   * An attempt whose letter, or message for a later tier, the broker did not confirm. It was rejected, so it ended as a
   * retry does, and nothing is to be stored of it.
   */
  readonly onUnconfirmed?: (result: AttemptResult<Message, Effect>) => void;
  readonly onEvent?: (event: WorkerEvent) => void;
  readonly onSession?: (event: SessionEvent) => void;
  /** Told of each letter and each message for a later tier that it publishes. */
  readonly onPublish?: (end: PublishEnd) => void;
}

/** What befalls a worker; for logs and metrics. */
export type WorkerEvent =
  /** The broker delivered it before; perhaps its worker died. */
  | { readonly type: 'redelivered'; readonly queue: string }
  /** Key and x-death disagree on the attempt; lawful after a republish. */
  | { readonly type: 'attemptMismatch'; readonly queue: string; readonly attempt: number }
  /** A message was put aside before an attempt: malformed, or too many crashes. */
  | { readonly type: 'refused'; readonly queue: string; readonly reason: string }
  /** Takes less than its prefetch because of messages that may end a process, or no longer. */
  | { readonly type: 'quarantine'; readonly queue: string; readonly mode: QuarantineMode }
  | {
      readonly type: 'circuitBreaker';
      readonly queue: string;
      readonly state: CircuitBreakerState;
    };
