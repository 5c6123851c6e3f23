/** Runs a handler for the dead letters of one queue: why each died, its typed body, and what becomes of it. */
import { randomUUID } from 'node:crypto';
import { type Delivery, Publisher } from '../amqp/index.ts';
import { requireKind } from '../declaration/declareTopology.ts';
import type { Duration } from '../declaration/duration.ts';
import type { AnyTopology } from '../define/defineTopology.ts';
import { type BodyOutput, checkBody, type MessageName, type Messages } from '../define/messages.ts';
import { replayTarget } from '../retry/attempt.ts';
import { type DeathCause, isByWorker } from '../retry/deathCause.ts';
import { messageName } from '../retry/messageName.ts';
import { errorMessage } from '../retry/outcome.ts';
import { replayCountIn, replayHeaders } from '../retry/replayHeaders.ts';
import { DeadLetterConsumer, type ReceivedDeadLetter } from '../work/deadLetterConsumer.ts';
import { Limiter } from '../work/queueWorker.ts';
import { beforeDeadline, DeadlineExceeded, Deadlines } from '../work/runAttempt.ts';
import { plainHeaders } from '../work/stepSettlement.ts';
import { declaredObjects } from '../work/workerLink.ts';
import {
  boundMs,
  DEFAULT_STOP_MS,
  durationMs,
  openOn,
  refuseUnknown,
  type SharedConnection,
  type StopOptions,
  type StopReport,
} from './createConnection.ts';
import type { On } from './createPublisher.ts';
import type { MaybePromise, NamesOn } from './createWorker.ts';
import { type TopologyEvent, teller } from './hooks.ts';
import type { RawMessage } from './queueHandler.ts';

/** What becomes of a dead letter. */
export type DeadLetterOutcome =
  /** Done with it: it is deleted. */
  | { readonly type: 'done' }
  /** Its message begins again in its queue, as a first attempt with all its retries. */
  | { readonly type: 'replay' }
  /** It stays in the dead-letter queue, and the handler gets it again after this time. */
  | { readonly type: 'keep'; readonly for?: Duration };

/** Its message begins again in its queue, as a first attempt with all its retries. */
export function replay(): DeadLetterOutcome {
  return { type: 'replay' };
}

/** It stays in the dead-letter queue. @param time after which the handler gets it again; default '10m', at most '20m'. */
export function keep(time: Duration = DEFAULT_KEEP): DeadLetterOutcome {
  return { type: 'keep', for: time };
}

/** What every dead letter tells. Any client that may publish to the broker can have written it, except for the queue. */
export interface DeadLetterInfo {
  /** Id of the message; empty if its publisher set none. */
  readonly id: string;
  /** Name of its queue in the topology. */
  readonly queue: string;
  readonly cause: DeathCause;
  /**
   * The last error of a handler: of a fatal or malformed message, and of an exhausted one whose note could be read; otherwise
   * undefined. Class and message have at most 500 characters, the stack 2,000.
   */
  readonly error:
    | { readonly class: string; readonly message: string; readonly stack: string | undefined }
    | undefined;
  /** Number of the last attempt; undefined if none is known to have begun. */
  readonly attempt: number | undefined;
  /** When it died, in whole seconds; undefined if the broker alone ended it. */
  readonly diedAt: Date | undefined;
  /** How often it was replayed before. */
  readonly replays: number;
  /** Headers as delivered, those of broker and worker included. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** Body as it was published. */
  readonly raw: Uint8Array;
}

/** One dead letter, as a handler gets it. `isReadable` tells whether the schema accepts its body. */
export type DeadLetter<M extends Messages, On> =
  | {
      [Name in NamesOn<M, On>]: DeadLetterInfo & {
        readonly isReadable: true;
        /** Name of the message. */
        readonly type: Name;
        /** Body, checked by its schema. */
        readonly body: BodyOutput<M[Name]>;
      };
    }[NamesOn<M, On>]
  | (DeadLetterInfo & {
      readonly isReadable: false;
      /** Name of the message, perhaps an unknown one; undefined if it tells none. */
      readonly type: string | undefined;
      readonly body: undefined;
      /** Why its body cannot be read. */
      readonly problem: Error;
    });

/** What a dead-letter worker is given. Connection, topology, queue and handler are required. */
export interface CreateDeadLetterWorkerOptions<
  T extends AnyTopology,
  N extends MessageName<T['queues']>,
> extends On<T> {
  /** Name of a queue of the topology, whose dead letters are read. */
  readonly queue: N;
  /** Handlers at a time; default 10. */
  readonly concurrency?: number;
  /** After which the signal of a handler is aborted, and its dead letter counts as failed; default that of the queue, at most 20m. */
  readonly deadline?: Duration;
  /** Bytes to what the schema checks, for bodies that the publisher's `encode` made; default JSON. */
  readonly decode?: (message: RawMessage) => unknown;
  /**
   * Nothing returned means done: the dead letter is deleted. What it throws is an event, and the handler gets the same dead
   * letter again after a second, then after two, up to a minute (one without a message id always after a minute). Those behind
   * it go on meanwhile. Killed at any moment, a worker loses no dead letter, so the handler may get one again and must be safe
   * to repeat.
   */
  readonly handler: (
    letter: DeadLetter<T['messages'], T['queues'][N] extends { readonly on: infer O } ? O : never>,
    options: { readonly signal: AbortSignal },
  ) => MaybePromise<DeadLetterOutcome | undefined> | MaybePromise<void>;
}

/** A running dead-letter worker. */
export interface DeadLetterWorker extends AsyncDisposable {
  /** `refused`: the user has lost the right to read the queue. `stopping`: from the call of `stop` until everything is closed. */
  readonly health: 'running' | 'disconnected' | 'refused' | 'stopping' | 'stopped';
  /** Dead letters that are delivered and not settled, kept ones included. */
  readonly inFlight: number;
  /** Stops reading, waits for running handlers, gives the rest back to the dead-letter queue. */
  stop(options?: StopOptions): Promise<StopReport>;
}

const OPTIONS = [
  'connection',
  'topology',
  'assert',
  'hooks',
  'queue',
  'concurrency',
  'deadline',
  'decode',
  'handler',
];
const DEFAULT_CONCURRENCY = 10;
const DEFAULT_KEEP = '10m';
const LONGEST_KEEP_MS = 20 * 60_000;
/** The broker takes an unsettled message away after 30 minutes, and closes the channel with it. */
const LONGEST_HELD_MS = 25 * 60_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** Kept and failed dead letters at a time; reading waits then until one of them is due. Their bodies are not held in memory. */
const MOST_KEPT = 10_000;

/**
 * Connects, asserts the topology and begins to read. Several may read one queue; each dead letter goes to one of them.
 * @throws ConnectError; TopologyError if the broker cannot carry the topology or refuses to let the queue be read; TypeError for
 * an unknown queue or option.
 */
export async function createDeadLetterWorker<
  const T extends AnyTopology,
  const N extends MessageName<T['queues']>,
>(options: CreateDeadLetterWorkerOptions<T, N>): Promise<DeadLetterWorker> {
  refuseUnknown('createDeadLetterWorker', options, OPTIONS);
  const { connection, topology, queue, concurrency = DEFAULT_CONCURRENCY } = options;
  const kind = requireKind(topology.declaration, queue);
  const deadlineMs =
    options.deadline === undefined
      ? Math.min(kind.deadlineMs, LONGEST_KEEP_MS)
      : durationMs('deadline', options.deadline);
  if (deadlineMs > LONGEST_KEEP_MS)
    throw new TypeError(`deadline must be at most 20m, not ${String(options.deadline)}`);
  if (!(Number.isInteger(concurrency) && concurrency >= 1))
    throw new TypeError(`concurrency must be a whole number of at least 1, not ${concurrency}`);
  return await openOn(
    connection,
    (shared, close) =>
      RunningDeadLetterWorker.open(shared, { ...options, concurrency, deadlineMs }, close),
    (worker) => worker.stop({ deadline: 0 }),
  );
}

/** The options without the types of the messages. */
interface AnyOptions extends Pick<On<AnyTopology>, 'topology' | 'assert' | 'hooks'> {
  readonly queue: string;
  readonly concurrency: number;
  readonly deadlineMs: number;
  readonly decode?: (message: RawMessage) => unknown;
  readonly handler: (letter: never, options: { readonly signal: AbortSignal }) => unknown;
}

/** A dead letter that stays unsettled until it is due. */
interface KeptDeadLetter {
  readonly received: ReceivedDeadLetter;
  readonly timer: NodeJS.Timeout;
}

class RunningDeadLetterWorker implements DeadLetterWorker {
  readonly #options: AnyOptions;
  readonly #tell: (event: TopologyEvent) => void;
  readonly #limiter: Limiter;
  readonly #stopping = new AbortController();
  readonly #deadlines: Deadlines;
  readonly #kept = new Set<KeptDeadLetter>();
  /** By message id, how often the handler has failed since it last ended. */
  readonly #failureCounts = new Map<string, number>();
  readonly #closeConnection: () => Promise<void>;
  #forget: () => void = () => undefined;
  #consumer: DeadLetterConsumer | undefined;
  #publisher: Publisher | undefined;
  #window: number;
  #keptSinceWindow = 0;
  #finishedCount = 0;
  #isDismissing = false;
  #stopped: Promise<StopReport> | undefined;
  #hasStopped = false;

  private constructor(
    shared: SharedConnection,
    options: AnyOptions,
    closeConnection: () => Promise<void>,
  ) {
    this.#options = options;
    this.#closeConnection = closeConnection;
    this.#tell = teller([shared.hooks, options.hooks], shared.logger);
    this.#limiter = new Limiter(options.concurrency);
    this.#deadlines = new Deadlines(options.deadlineMs);
    this.#window = 2 * options.concurrency;
  }

  static async open(
    shared: SharedConnection,
    options: AnyOptions,
    closeConnection: () => Promise<void>,
  ): Promise<RunningDeadLetterWorker> {
    const worker = new RunningDeadLetterWorker(shared, options, closeConnection);
    try {
      await worker.#open(shared);
    } catch (error) {
      await worker.#publisher?.close();
      throw error;
    }
    return worker;
  }

  get health(): DeadLetterWorker['health'] {
    if (this.#hasStopped) return 'stopped';
    if (this.#stopped !== undefined) return 'stopping';
    if (this.#consumer?.refusal !== undefined) return 'refused';
    return this.#consumer?.isUp === true && this.#publisher?.isUp === true
      ? 'running'
      : 'disconnected';
  }

  get inFlight(): number {
    return this.#consumer?.unsettledCount ?? 0;
  }

  stop({ deadline = DEFAULT_STOP_MS }: StopOptions = {}): Promise<StopReport> {
    this.#stopped ??= this.#stop(boundMs('deadline', deadline));
    return this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #kind() {
    const { topology, queue } = this.#options;
    return requireKind(topology.declaration, queue);
  }

  async #open(shared: SharedConnection): Promise<void> {
    const { topology, assert = 'create' } = this.#options;
    const maintainer = shared.maintainerOf(topology.declaration, assert);
    this.#publisher = await Publisher.open({
      ...shared.placeOf('publish'),
      // A replay that is unknown is handled again, and its copy would run beside the first. The heartbeat decides.
      confirmTimeoutMs: Infinity,
      holdsWhileBlocked: true,
      prepare: async (model, isReopened) =>
        declaredObjects(await maintainer.prepare(model, isReopened), assert),
    });
    this.#consumer = await DeadLetterConsumer.open({
      kind: this.#kind,
      session: shared.consuming,
      onEvent: shared.reporterOf('consume'),
      prefetchCount: this.#window,
      hasStacks: true,
      prepare: (model, isReopened) => maintainer.prepare(model, isReopened),
      onDeadLetter: (received) => {
        void this.#enter(received, performance.now());
      },
      onLost: () => {
        for (const { timer } of this.#kept) clearTimeout(timer);
        this.#kept.clear();
      },
    });
    this.#forget = shared.addWorker(this);
  }

  async #stop(deadlineMs: number): Promise<StopReport> {
    this.#limiter.hold();
    const before = this.#finishedCount;
    let returned = 0;
    const consumer = this.#consumer;
    const atDeadline = await consumer?.drain(deadlineMs, () => {
      this.#isDismissing = true;
      returned += this.#kept.size;
      for (const { received, timer } of this.#kept) {
        clearTimeout(timer);
        received.requeue();
      }
      const dismissed = consumer.unsettledCount;
      this.#limiter.dismiss();
      returned += dismissed - consumer.unsettledCount;
    });
    this.#stopping.abort(new Error('the worker was stopped'));
    await consumer?.close();
    await this.#publisher?.close();
    this.#forget();
    await this.#closeConnection();
    this.#hasStopped = true;
    return { finished: this.#finishedCount - before, returned: returned + (atDeadline ?? 0) };
  }

  /** @param sinceMs when it arrived. */
  async #enter(received: ReceivedDeadLetter, sinceMs: number): Promise<void> {
    const hasEntered = (await this.#limiter.enter()) ?? true;
    if (!hasEntered || this.#isDismissing) {
      received.requeue();
      if (hasEntered) this.#limiter.leave();
      return;
    }
    try {
      const { isCurrent, isSettled } = received.delivery;
      if (isCurrent && !isSettled) await this.#run(received, sinceMs);
    } finally {
      this.#limiter.leave();
    }
  }

  async #run(received: ReceivedDeadLetter, sinceMs: number): Promise<void> {
    const { queue } = this.#options;
    const { cause } = received.death;
    const heldForMs = () => Math.max(0, LONGEST_HELD_MS - (performance.now() - sinceMs));
    try {
      const outcome = outcomeOf(await this.#handle(received));
      if (outcome.type === 'replay') await this.#replay(received.delivery);
      if (outcome.type === 'keep') this.#keep(received, Math.min(keepMs(outcome), heldForMs()));
      else {
        received.ack();
        this.#finishedCount += 1;
      }
      this.#failureCounts.delete(received.delivery.messageId ?? '');
      this.#tell({ type: 'deadLetter', queue, cause, outcome: outcome.type });
    } catch (error) {
      this.#tell({ type: 'deadLetter', queue, cause, outcome: 'failed', error });
      this.#keep(received, Math.min(this.#pauseAfterFailure(received.delivery), heldForMs()));
    }
  }

  /** @returns what the handler answered. @throws what it threw, or `DeadlineExceeded`. */
  async #handle(received: ReceivedDeadLetter): Promise<unknown> {
    const late = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, late.signal]);
    const letter = await this.#letterOf(received);
    const answer = (async () => await this.#options.handler(letter as never, { signal }))();
    try {
      return await beforeDeadline(answer, this.#deadlines);
    } catch (error) {
      if (error instanceof DeadlineExceeded) late.abort(error);
      throw error;
    }
  }

  /** @returns milliseconds: a second, then twice as long after each failure, up to a minute. */
  #pauseAfterFailure({ messageId }: Delivery): number {
    if (messageId === undefined || messageId === '') return LONGEST_PAUSE_MS;
    const count = this.#failureCounts.get(messageId) ?? 0;
    this.#failureCounts.set(messageId, count + 1);
    const [oldest] = this.#failureCounts.keys();
    if (this.#failureCounts.size > MOST_KEPT && oldest !== undefined)
      this.#failureCounts.delete(oldest);
    return Math.min(FIRST_PAUSE_MS * 2 ** count, LONGEST_PAUSE_MS);
  }

  async #letterOf({ delivery, death, notedAt }: ReceivedDeadLetter) {
    const { cause, errorClass, message, stack, attempt } = death;
    const { headers, publishedAtSeconds, body: raw } = delivery;
    const publishedAt =
      publishedAtSeconds === undefined ? undefined : new Date(publishedAtSeconds * 1_000);
    const info: DeadLetterInfo = {
      id: delivery.messageId ?? '',
      queue: this.#options.queue,
      cause,
      error: errorClass === cause ? undefined : { class: errorClass, message, stack },
      attempt,
      // A worker publishes its dead letter when the message dies; the timestamp of others is that of the message.
      diedAt: notedAt ?? (isByWorker(headers) ? publishedAt : undefined),
      replays: replayCountIn(headers),
      headers,
      raw,
    };
    const { messages } = this.#options.topology;
    const type = messageName(this.#kind, delivery);
    try {
      const schema =
        type !== undefined && Object.hasOwn(messages, type) ? messages[type] : undefined;
      if (type === undefined || schema === undefined)
        throw new Error(
          `'${type ?? delivery.routingKey}' is none of the messages of this topology`,
        );
      const { decode } = this.#options;
      const decoded: unknown =
        decode === undefined
          ? JSON.parse(raw.toString())
          : await decode({
              type,
              id: info.id,
              headers,
              receivedAtMs: delivery.receivedAtMs,
              publishedAtSeconds,
              isRedelivered: delivery.isRedelivered,
              body: raw,
            });
      const body = await checkBody(type, schema, decoded);
      return { ...info, isReadable: true, type, body };
    } catch (error) {
      const problem = error instanceof Error ? error : new Error(errorMessage(error));
      return { ...info, isReadable: false, type, body: undefined, problem };
    }
  }

  /** @throws Error if it is not confirmed; the dead letter stays then. */
  async #replay(delivery: Delivery): Promise<void> {
    const { topology } = this.#options;
    const run = { replayId: randomUUID(), startedAt: new Date() };
    const headers = replayHeaders(plainHeaders(delivery), run, new Date());
    const message = {
      ...replayTarget(topology.declaration, this.#kind),
      id: delivery.messageId ?? randomUUID(),
      type: messageName(this.#kind, delivery),
      body: delivery.body,
      priority: delivery.priority,
      headers: headers as Record<string, string | number>,
    };
    // During a long alarm its channel may be lost: then the dead letter is handled again, and replayed again.
    const isWanted = () => delivery.isCurrent && !delivery.isSettled;
    const result = await this.#publisher?.publish(message, isWanted);
    if (result !== 'confirmed') throw new Error(`its replay ended as ${String(result)}`);
  }

  /** It stays unsettled until it is due, so that the broker gives it to nobody else, and its body is freed. */
  #keep(received: ReceivedDeadLetter, timeMs: number): void {
    if (this.#isDismissing) {
      received.requeue();
      return;
    }
    received.delivery.discardContent();
    const kept: KeptDeadLetter = {
      received,
      timer: setTimeout(() => {
        this.#kept.delete(kept);
        received.requeue();
      }, timeMs),
    };
    this.#kept.add(kept);
    this.#keptSinceWindow += 1;
    if (this.#keptSinceWindow < this.#options.concurrency || this.#kept.size >= MOST_KEPT) return;
    // The broker counts a prefetch for each consumer anew, so another one makes room beside what is kept.
    this.#keptSinceWindow = 0;
    this.#window = this.#window % 2 === 0 ? this.#window + 1 : this.#window - 1;
    this.#consumer?.setPrefetch(this.#window);
  }
}

/** @throws TypeError for what is no outcome: a program in JavaScript can return anything. */
function outcomeOf(answer: unknown): DeadLetterOutcome {
  if (answer === undefined) return { type: 'done' };
  const { type } = Object(answer) as { readonly type?: unknown };
  if (type === 'done' || type === 'replay' || type === 'keep') return answer as DeadLetterOutcome;
  throw new TypeError(
    'the handler must return nothing, or an object whose type is done, replay or keep',
  );
}

/** @throws TypeError */
function keepMs({ for: time = DEFAULT_KEEP }: { readonly for?: Duration }): number {
  const timeMs = durationMs('for', time);
  if (timeMs > LONGEST_KEEP_MS)
    throw new TypeError(`a dead letter is kept for at most 20m, not ${time}`);
  return timeMs;
}
