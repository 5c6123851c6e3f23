/** Runs a handler for the messages of one queue: typed and checked bodies, outcomes, retries, a graceful stop. */
import { randomUUID } from 'node:crypto';
import type { Duration } from '../declaration/duration.ts';
import type { AnyTopology, QueueOptions, Queues, Topology } from '../define/defineTopology.ts';
import type { BodyOutput, MessageName, Messages } from '../define/messages.ts';
import { errorMessage, type Hold, type Outcome } from '../retry/outcome.ts';
import { QueueWorker, type QueueWorkerOptions } from '../work/index.ts';
import { linkOf } from '../work/workerLink.ts';
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
import { type AttemptInfo, type Hooks, type Logger, teller, throttledWarning } from './hooks.ts';
import { codeOfOutcome } from './publishError.ts';
import {
  queueHandler,
  type RawMessage,
  type ReadMessage,
  type SettledAttempt,
  type Thenable,
} from './queueHandler.ts';

/** A value, or a promise of it. */
export type MaybePromise<Value> = Value | Promise<Value>;

/** Names of the messages that a queue gets: those that it names; all, where it has a pattern. */
export type NamesOn<M, On> = On extends readonly (infer Key)[]
  ? Exclude<Key, MessageName<M>> extends never
    ? Extract<Key, MessageName<M>>
    : MessageName<M>
  : never;

/** One message, as a handler gets it. `type` tells which one it is where a queue gets several. */
export type Delivered<M extends Messages, On> = {
  [Name in NamesOn<M, On>]: {
    /** Name of the message. */
    readonly type: Name;
    /** Body, checked by its schema. */
    readonly body: BodyOutput<M[Name]>;
    /** Id of the message; empty if its publisher set none. */
    readonly id: string;
    /** Headers as delivered. */
    readonly headers: Readonly<Record<string, unknown>>;
    /** Milliseconds since 1970 at which it arrived, by this machine's clock. */
    readonly receivedAtMs: number;
    /** Seconds since 1970 at which it was published; undefined if its publisher did not say so. */
    readonly publishedAtSeconds: number | undefined;
    /** True if the broker delivered it before: perhaps a worker ended with it. */
    readonly isRedelivered: boolean;
    /** Which attempt this is. */
    readonly attempt: AttemptInfo;
    /** Aborted at the deadline of the attempt, and at a stop whose time is over. */
    readonly signal: AbortSignal;
  };
}[NamesOn<M, On>];

/** What a worker is given. Connection, topology, queue and handler are required. */
export interface CreateWorkerOptions<
  T extends AnyTopology,
  N extends MessageName<T['queues']>,
  Effect,
> extends On<T> {
  /** Name of a queue of the topology. */
  readonly queue: N;
  /** Handlers at a time; default 10. */
  readonly concurrency?: number;
  /**
   * Messages that are delivered and not settled, at most; at least `concurrency`, at most 65,535. Default: `concurrency` and as
   * many again, at most 250 more. More serve a `settle` that collects hundreds of messages for one write.
   */
  readonly prefetch?: number;
  /** Longest time of one attempt in this process; default that of the queue. */
  readonly deadline?: Duration;
  /** Names the worker on dead letters; default a UUID. */
  readonly id?: string;
  /**
   * Makes of the bytes of a body what its schema checks; default JSON. Decompression, decryption or the check of a signature
   * belong here: what it throws makes the message malformed, and it goes to the dead-letter queue at once.
   */
  readonly decode?: (message: RawMessage) => unknown;
  /**
   * Nothing returned means done. A throw means what `onError` says. `hold` means that something which the handler needs is
   * down. Any other value that is no outcome is a retry with the error `InvalidOutcome`, and an event.
   */
  readonly handler: (
    message: Delivered<T['messages'], T['queues'][N] extends { readonly on: infer O } ? O : never>,
  ) => MaybePromise<Outcome<Effect> | Hold | undefined> | MaybePromise<void>;
  /** What a throw means, by `instanceof` or any condition; undefined: a retry. */
  readonly onError?: (error: unknown, attempt: AttemptInfo) => Outcome<never> | Hold | undefined;
  /**
   * Stores what the handler did before the message is acknowledged; it may collect several and resolve them together. A
   * rejection means a failed attempt. An outcome takes the place of that of the handler: `done` and `discard` acknowledge,
   * `retry` is a failed attempt, `reject` means a malformed message. What was published for the outcome of the handler stays.
   */
  readonly settle?: (
    end: SettledAttempt<Effect, BodyOn<T, N>>,
  ) =>
    | MaybePromise<Outcome<never> | undefined>
    | MaybePromise<void>
    | Thenable<Outcome<never> | undefined>;
  /**
   * Is told of an attempt that ended without `settle`: its message went back to its queue meanwhile, or the broker did not
   * confirm a copy of it. It is delivered again, so nothing of the attempt must be stored.
   */
  readonly onReturned?: (end: SettledAttempt<Effect, BodyOn<T, N>>) => void;
  /** Is told once of an attempt that has run for a second, for example to renew a lease. */
  readonly onLong?: (message: ReadMessage<BodyOn<T, N>>) => void;
  /** Messages that may have ended a worker, at a time; default 10. */
  readonly suspects?: { readonly concurrency?: number };
  /** Pauses consuming while most attempts fail alike; false switches that off, but not the pauses after `hold`. */
  readonly breaker?: BreakerOptions | false;
}

/** Type of the bodies that a queue gets. */
export type BodyOn<T extends AnyTopology, N extends MessageName<T['queues']>> = Delivered<
  T['messages'],
  T['queues'][N] extends { readonly on: infer O } ? O : never
>['body'];

/** When a worker pauses because most attempts fail with errors of one class. */
export interface BreakerOptions {
  /** Share of the latest 20 attempts; default 0.8; above 0, at most 1. */
  readonly failureRatio?: number;
  /** First pause; default '1s'. It doubles with every failed try, up to a minute. */
  readonly pause?: Duration;
  /** True for an error that its message causes itself, so that it counts as a success. Default: none. */
  readonly ignores?: (error: unknown) => boolean;
}

/** A running worker. */
export interface Worker extends AsyncDisposable {
  /**
   * `refused`: the right to read the queue was withdrawn; it is tried again every few seconds. `stopping`: from the call of
   * `stop` until nothing runs and everything is closed.
   */
  readonly health: 'running' | 'paused' | 'disconnected' | 'refused' | 'stopping' | 'stopped';
  /** Why the topology differs from the declaration and cannot be restored; undefined if it does not. */
  readonly topologyFault: string | undefined;
  /** As given, or a UUID. */
  readonly id: string;
  /** True while it is connected, to consume and to publish dead letters. */
  readonly isUp: boolean;
  /** True between `pause` and `resume`. */
  readonly isPaused: boolean;
  /** Messages that are delivered and not settled. */
  readonly inFlight: number;
  /** Their ids, for a heartbeat that tells others what this process has in hand; without those that have none. */
  readonly inFlightIds: readonly string[];
  /** Milliseconds since 1970 at which the oldest of them arrived; undefined without any. */
  readonly oldestReceivedAtMs: number | undefined;
  /** Copies of messages, such as dead letters, that it has published and that are not confirmed yet. */
  readonly unconfirmed: number;
  /** Stops consuming and gives what has not begun back to the queue; running attempts go on. Resolves once nothing more arrives. */
  pause(): Promise<void>;
  /** Consumes again after a pause. */
  resume(): Promise<void>;
  /** Stops consuming, waits for running attempts, gives the rest back to the queue. */
  stop(options?: StopOptions): Promise<StopReport>;
}

const OPTIONS = [
  'connection',
  'topology',
  'assert',
  'hooks',
  'queue',
  'concurrency',
  'prefetch',
  'deadline',
  'id',
  'decode',
  'handler',
  'onError',
  'settle',
  'onReturned',
  'onLong',
  'suspects',
  'breaker',
] as const satisfies readonly (keyof CreateWorkerOptions<Topology, never, never>)[];

const DEFAULT_CONCURRENCY = 10;
const DEFAULT_SUSPECT_CONCURRENCY = 10;
const MOST_PREFETCHED = 250;
/** The prefetch of AMQP has 16 bits. */
const LARGEST_PREFETCH = 65_535;

/**
 * Connects, asserts the topology and begins to consume.
 * @throws ConnectError; TopologyError if the broker cannot carry the topology; TypeError for an unknown queue or option.
 */
export async function createWorker<
  const T extends AnyTopology,
  const N extends MessageName<T['queues']>,
  Effect = never,
>(options: CreateWorkerOptions<T, N, Effect>): Promise<Worker> {
  refuseUnknown('createWorker', options, OPTIONS);
  const { connection, topology, assert = 'create', hooks } = options;
  const open = async (shared: SharedConnection, close: () => Promise<void>) => {
    const workerOptions = queueWorkerOptions<T, N, Effect>(
      options,
      [shared.hooks, hooks].filter((one) => one !== undefined),
      shared.logger,
    );
    const link = linkOf({
      maintainer: shared.maintainerOf(topology.declaration, assert),
      assert,
      onPublish: workerOptions.onPublish,
      placeOf: (purpose) => shared.placeOf(purpose),
    });
    const worker = await QueueWorker.open<ReadMessage, Effect>(
      { ...workerOptions, id: options.id ?? randomUUID(), amqpUrl: '', managementUrl: undefined },
      link,
    );
    return new TopologyWorker(shared, worker, close);
  };
  return await openOn(connection, open, (worker) => worker.stop({ deadline: 0 }));
}

/**
 * What a queue worker runs for these options, on a broker or in a simulation.
 * @throws TypeError for an unknown queue, or a count below 1.
 */
export function queueWorkerOptions<
  const T extends AnyTopology,
  const N extends MessageName<T['queues']>,
  Effect,
>(
  options: Omit<CreateWorkerOptions<T, N, Effect>, 'assert' | 'connection' | 'hooks'>,
  hooks: readonly Hooks[],
  logger: Logger,
): Omit<QueueWorkerOptions<ReadMessage, Effect>, 'amqpUrl' | 'managementUrl'> {
  const { topology, queue, suspects, breaker, prefetch, deadline } = options;
  const queueOptions = queueOf(topology, queue);
  const concurrency = countOf('concurrency', options.concurrency ?? DEFAULT_CONCURRENCY);
  const prefetchCount = prefetchOf(prefetch, concurrency);
  const tell = teller(hooks, logger);
  const warn = throttledWarning(logger);
  const { read, run, settle, onUnconfirmed } = queueHandler<Effect>({
    messages: topology.messages,
    name: queue,
    retry: queueOptions.retry,
    handler: options.handler as never,
    onError: options.onError,
    decode: options.decode,
    settle: options.settle as never,
    onReturned: options.onReturned as never,
    hooks,
    onHookError: (error) => {
      warn('aroundAttempt', `topology: aroundAttempt failed: ${errorMessage(error)}`);
    },
    tell,
  });
  return {
    declaration: topology.declaration,
    kind: queue,
    prefetchCount,
    concurrency,
    ...(deadline === undefined ? {} : { deadlineMs: durationMs('deadline', deadline) }),
    suspectConcurrency: Math.min(
      countOf('suspects.concurrency', suspects?.concurrency ?? DEFAULT_SUSPECT_CONCURRENCY),
      prefetchCount,
    ),
    circuitBreaker:
      breaker === false
        ? false
        : {
            ...(breaker?.failureRatio === undefined ? {} : { failureRatio: breaker.failureRatio }),
            ...(breaker?.pause === undefined
              ? {}
              : { pauseMs: durationMs('breaker.pause', breaker.pause) }),
            ...(breaker?.ignores === undefined ? {} : { ignores: breaker.ignores }),
          },
    read,
    run,
    settle,
    onUnconfirmed,
    ...(options.onLong === undefined ? {} : { onLong: options.onLong as never }),
    onEvent: (event) => {
      switch (event.type) {
        case 'circuitBreaker': {
          const { type: state, ...details } = event.state;
          tell({ type: 'breaker', queue, state, ...details });
          return;
        }
        case 'refused':
          tell({ type: 'deadLettered', queue, cause: 'refused', error: event.reason });
          return;
        default:
          tell({ ...event, queue });
      }
    },
    onPublish: ({ exchange, key, outcome, durationMs: tookMs }) => {
      const result = outcome === 'confirmed' ? outcome : codeOfOutcome(outcome);
      tell({ type: 'republished', queue, exchange, key, result, durationMs: tookMs });
    },
  };
}

function prefetchOf(prefetch: number | undefined, concurrency: number): number {
  if (prefetch === undefined) return concurrency + Math.min(concurrency, MOST_PREFETCHED);
  if (Number.isInteger(prefetch) && prefetch >= concurrency && prefetch <= LARGEST_PREFETCH)
    return prefetch;
  throw new TypeError(
    `prefetch must be a whole number from concurrency (${concurrency}) to ${LARGEST_PREFETCH}, not ${prefetch}`,
  );
}

type RunningWorker = Pick<
  QueueWorker,
  | 'close'
  | 'id'
  | 'inFlightCount'
  | 'isPaused'
  | 'isUp'
  | 'oldestReceivedAtMs'
  | 'pause'
  | 'pendingPublishCount'
  | 'refusal'
  | 'resume'
  | 'topologyFault'
  | 'unsettledIds'
>;

class TopologyWorker implements Worker {
  readonly #worker: RunningWorker;
  readonly #forget: () => void;
  readonly #closeConnection: () => Promise<void>;
  #stopped: Promise<StopReport> | undefined;
  #hasStopped = false;

  constructor(
    connection: SharedConnection,
    worker: RunningWorker,
    closeConnection: () => Promise<void>,
  ) {
    this.#worker = worker;
    this.#closeConnection = closeConnection;
    this.#forget = connection.addWorker(this);
  }

  get health(): Worker['health'] {
    if (this.#hasStopped) return 'stopped';
    if (this.#stopped !== undefined) return 'stopping';
    if (this.#worker.refusal !== undefined) return 'refused';
    if (!this.#worker.isUp) return 'disconnected';
    return this.#worker.isPaused ? 'paused' : 'running';
  }

  get topologyFault(): string | undefined {
    return this.#worker.topologyFault;
  }

  get id(): string {
    return this.#worker.id;
  }

  get isUp(): boolean {
    return this.#worker.isUp;
  }

  get isPaused(): boolean {
    return this.#worker.isPaused;
  }

  get inFlight(): number {
    return this.#worker.inFlightCount;
  }

  get inFlightIds(): readonly string[] {
    return this.#worker.unsettledIds;
  }

  get oldestReceivedAtMs(): number | undefined {
    return this.#worker.oldestReceivedAtMs;
  }

  get unconfirmed(): number {
    return this.#worker.pendingPublishCount;
  }

  async pause(): Promise<void> {
    await this.#worker.pause();
  }

  resume(): Promise<void> {
    this.#worker.resume();
    return Promise.resolve();
  }

  stop({ deadline = DEFAULT_STOP_MS }: StopOptions = {}): Promise<StopReport> {
    this.#stopped ??= this.#stop(boundMs('deadline', deadline));
    return this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(deadlineMs: number): Promise<StopReport> {
    const { finishedCount, requeuedCount } = await this.#worker.close(deadlineMs);
    this.#forget();
    await this.#closeConnection();
    this.#hasStopped = true;
    return { finished: finishedCount, returned: requeuedCount };
  }
}

function queueOf(topology: AnyTopology, name: string): QueueOptions {
  const queues = Object(topology.queues) as Queues;
  const queue = Object.hasOwn(queues, name) ? queues[name] : undefined;
  if (queue !== undefined) return queue;
  throw new TypeError(
    `queue '${name}' is not defined; the topology has ${Object.keys(queues).join(', ')}`,
  );
}

function countOf(name: string, count: number): number {
  if (Number.isInteger(count) && count >= 1) return count;
  throw new TypeError(`${name} must be a whole number of at least 1, not ${count}`);
}
