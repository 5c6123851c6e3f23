/** Publishes messages by name, with a checked body, and says what became of each. */
import { randomUUID } from 'node:crypto';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import {
  Publisher as ChannelPublisher,
  type OutgoingMessage,
  type PublishEnd,
} from '../amqp/index.ts';
import type { AssertMode } from '../assert/index.ts';
import { type Duration, parseDurationMs } from '../declaration/duration.ts';
import type { AnyTopology, Queues } from '../define/defineTopology.ts';
import { type BodyInput, checkBody, type MessageName, namesOn } from '../define/messages.ts';
import { delayName } from '../plan/names.ts';
import { spreadHeader } from '../retry/spread.ts';
import { declaredObjects } from '../work/workerLink.ts';
import {
  boundMs,
  type Connection,
  connectionOf,
  DEFAULT_STOP_MS,
  refuseUnknown,
  type SharedConnection,
  type StopOptions,
} from './createConnection.ts';
import {
  type Hooks,
  type OutgoingInfo,
  runThroughHooks,
  type TopologyEvent,
  teller,
  throttledWarning,
} from './hooks.ts';
import { PublishError, type PublishErrorCode } from './publishError.ts';

/** What a publisher or a worker stands on. */
export interface On<T> {
  /** A URL opens a connection of its own, which closes with it; nothing is pooled behind the caller's back. */
  readonly connection: Connection | string;
  /** What `defineTopology` returned. */
  readonly topology: T;
  /** Default `create`. In production an operator runs `topology apply`, and programs `check`. */
  readonly assert?: AssertMode;
  /** Events of this one; those of its connection are told as well. */
  readonly hooks?: Hooks;
}

/** What a publisher is given. */
export interface CreatePublisherOptions<T> extends On<T> {
  /** Messages without a confirm at a time; further ones wait. Default 1,000. */
  readonly window?: number;
}

/** How one message is published. */
export interface PublishOptions<T extends AnyTopology = AnyTopology> {
  /** One of the delays that the topology defines: the message is delivered after it. Default none. */
  readonly delay?: T['delays'][number];
  /** At most 255 bytes; default a UUID. A resend uses the same, so that consumers recognise it. */
  readonly id?: string;
  /** Names that begin with `x-` belong to the broker and are left out. */
  readonly headers?: Readonly<Record<string, string | number>>;
  /** Default '10s'; at most 24 days, or Infinity. It covers waiting for a connection, for room and for the confirm. */
  readonly timeout?: Duration;
  /** Aborted before the message is sent: it is not sent. Afterwards: its confirm is no longer awaited. */
  readonly signal?: AbortSignal;
}

/** What became of a publish that does not throw. */
export interface PublishReport {
  readonly id: string;
  /** Undefined: confirmed. */
  readonly error?: PublishError;
}

/** Publishes the messages of one topology. */
export interface Publisher<T extends AnyTopology> extends AsyncDisposable {
  /** True while it is connected and no alarm of the broker blocks it. */
  readonly isReady: boolean;
  /**
   * Checks the body as it is sent, which is JSON: a date is text. Resolves when every queue of the message has it on disk.
   * @throws PublishError with a code, and whether the message may have arrived.
   */
  publish<N extends MessageName<T['messages']>>(
    type: N,
    body: BodyInput<T['messages'][N]>,
    options?: PublishOptions<T>,
  ): Promise<{ readonly id: string }>;
  /** The same without a throw, for relays. */
  tryPublish<N extends MessageName<T['messages']>>(
    type: N,
    body: BodyInput<T['messages'][N]>,
    options?: PublishOptions<T>,
  ): Promise<PublishReport>;
  /** Waits for confirms, then closes its channel. */
  close(options?: StopOptions): Promise<void>;
}

const CREATE_OPTIONS = [
  'connection',
  'topology',
  'assert',
  'hooks',
  'window',
] as const satisfies readonly (keyof CreatePublisherOptions<AnyTopology>)[];
const PUBLISH_OPTIONS = [
  'delay',
  'id',
  'headers',
  'timeout',
  'signal',
] as const satisfies readonly (keyof PublishOptions)[];
const DEFAULT_WINDOW = 1_000;
const TIMEOUT_MS = 10_000;

/** @throws ConnectError, TopologyError if the broker cannot carry the topology; TypeError for a misspelt option. */
export async function createPublisher<const T extends AnyTopology>(
  options: CreatePublisherOptions<T>,
): Promise<Publisher<T>> {
  refuseUnknown('createPublisher', options, CREATE_OPTIONS);
  const { connection, topology, window = DEFAULT_WINDOW, assert = 'create', hooks } = options;
  if (!(window >= 1)) throw new TypeError(`window must be at least 1, not ${window}`);
  const { shared, close } = await connectionOf(connection);
  try {
    const maintainer = shared.maintainerOf(topology.declaration, assert);
    const openPublisher = async () => {
      const channel = await ChannelPublisher.open({
        session: shared.publishing,
        url: '',
        label: '',
        onEvent: shared.reporterOf('publish'),
        prepare: async (model, isReopened) => {
          const plan = await maintainer.prepare(model, isReopened);
          return declaredObjects(plan, assert);
        },
        maxUnconfirmed: window,
        confirmTimeoutMs: TIMEOUT_MS,
        waitsForConnection: true,
      });
      return new TopologyPublisher(shared, channel, topology, hooks, close);
    };
    return await shared.opening(openPublisher, (publisher) => publisher.close({ deadline: 0 }));
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a publisher needs of its connection. */
type PublisherConnection = Pick<SharedConnection, 'addPublisher' | 'hooks' | 'logger'>;
/** What a publisher publishes on. */
type PublisherChannel = Pick<
  ChannelPublisher,
  'close' | 'isReady' | 'publishWatched' | 'publishWithReason' | 'replyTo'
>;

/** The publisher of a topology, on a broker or in a simulation. */
export class TopologyPublisher<T extends AnyTopology> implements Publisher<T> {
  readonly #channel: PublisherChannel;
  readonly #topology: T;
  readonly #hooks: readonly Hooks[];
  readonly #tell: (event: TopologyEvent) => void;
  readonly #forget: () => void;
  readonly #closeConnection: () => Promise<void>;
  readonly #fanOutCounts: ReadonlyMap<string, number>;
  readonly #isHeard: boolean;
  /** True if a queue has jitter. */
  readonly #isSpread: boolean;
  readonly #isWrapped: boolean;
  readonly #warn: (kind: string, text: string) => void;
  #pendingCount = 0;
  #onIdle: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    connection: PublisherConnection,
    channel: PublisherChannel,
    topology: T,
    hooks: Hooks | undefined,
    closeConnection: () => Promise<void>,
  ) {
    this.#channel = channel;
    this.#topology = topology;
    this.#hooks = [connection.hooks, hooks].filter((one) => one !== undefined);
    this.#tell = teller(this.#hooks, connection.logger);
    this.#isSpread = topology.declaration.kinds.some(({ jitter }) => jitter > 0);
    this.#isHeard = this.#hooks.some((one) => one.onEvent !== undefined);
    this.#isWrapped = this.#hooks.some((one) => one.aroundPublish !== undefined);
    this.#warn = throttledWarning(connection.logger);
    this.#closeConnection = closeConnection;
    const names = Object.keys(topology.messages);
    const heard = Object.values(Object(topology.queues) as Queues).flatMap(({ on }) =>
      namesOn(on, names),
    );
    this.#fanOutCounts = new Map(
      names.map((name) => [name, heard.filter((one) => one === name).length]),
    );
    this.#forget = connection.addPublisher({
      stop: async (options) => {
        await this.close(options);
        return undefined;
      },
    });
  }

  get isReady(): boolean {
    return this.#channel.isReady;
  }

  async publish(
    type: string,
    body: unknown,
    options: PublishOptions = {},
  ): Promise<{ readonly id: string }> {
    const id = options.id ?? randomUUID();
    const error = await this.#publish(type, body, options, id);
    if (error !== undefined) throw error;
    return { id };
  }

  async tryPublish(
    type: string,
    body: unknown,
    options: PublishOptions = {},
  ): Promise<PublishReport> {
    const id = options.id ?? randomUUID();
    const error = await this.#publish(type, body, options, id);
    return error === undefined ? { id } : { id, error };
  }

  close(options: StopOptions = {}): Promise<void> {
    this.#closed ??= this.#close(boundMs('deadline', options.deadline ?? DEFAULT_STOP_MS));
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(deadlineMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const isOver = new Promise<void>((resolve) => {
      if (deadlineMs < Infinity) timer = setTimeout(resolve, deadlineMs);
    });
    const isIdle = new Promise<void>((resolve) => {
      if (this.#pendingCount === 0) resolve();
      else this.#onIdle = resolve;
    });
    await Promise.race([isIdle, isOver]);
    clearTimeout(timer);
    await this.#channel.close();
    this.#forget();
    await this.#closeConnection();
  }

  /**
   * As few promises as possible: a publisher has thousands of messages a second.
   * @returns undefined if it is confirmed; it never rejects.
   */
  #publish(
    type: string,
    body: unknown,
    options: PublishOptions,
    id: string,
  ): Promise<PublishError | undefined> {
    const startedAtMs = performance.now();
    this.#pendingCount += 1;
    const end = (error: PublishError | undefined): PublishError | undefined => {
      this.#pendingCount -= 1;
      if (this.#pendingCount === 0) this.#onIdle?.();
      if (this.#isHeard)
        this.#tell({
          type: 'published',
          message: type,
          result: error?.code ?? 'confirmed',
          durationMs: performance.now() - startedAtMs,
        });
      return error;
    };
    const fail = (thrown: unknown) => end(publishErrorOf(thrown, id, type));
    try {
      const schema = this.#schemaFor(type, options, id);
      const timeoutMs =
        options.timeout === undefined ? TIMEOUT_MS : boundMs('timeout', options.timeout);
      const text = encode(body);
      const message = this.#messageOf(type, text, options, id);
      // What is sent is checked, since that is what the worker's schema gets: a date travels as text. It is the last that may
      // fail here, because nobody would see the rejection of an asynchronous check.
      const checked = checkBody(type, schema, JSON.parse(text));
      const isPlain = options.timeout === undefined && options.signal === undefined;
      if (isPlain && !this.#isWrapped && !(checked instanceof Promise))
        return this.#channel
          .publishWithReason(message)
          .then((outcome) => end(this.#errorOf(outcome, message)));
      return this.#publishWatched(checked, message, options, timeoutMs).then(end, fail);
    } catch (error) {
      return Promise.resolve(fail(error));
    }
  }

  /** @throws PublishError, TypeError for what is wrong with anything but the body. */
  #schemaFor(type: string, options: PublishOptions, id: string): StandardSchemaV1 {
    if (this.#closed !== undefined)
      throw new PublishError('CLOSED', 'the publisher is closed', { id, type });
    refuseUnknown('publish', options, PUBLISH_OPTIONS);
    const schema = Object.hasOwn(this.#topology.messages, type)
      ? this.#topology.messages[type]
      : undefined;
    if (schema === undefined) {
      const names = Object.keys(this.#topology.messages).join(', ');
      throw new PublishError('INVALID', `'${type}' is none of the messages ${names}`, { id, type });
    }
    refuseAborted(options.signal, id, type);
    return schema;
  }

  #messageOf(
    type: string,
    text: string,
    options: PublishOptions,
    id: string,
  ): OutgoingMessage & { readonly headers: Record<string, string | number> } {
    return {
      exchange: this.#exchangeFor(options.delay, id, type),
      key: type,
      type,
      id,
      // The consumer's schema reads it again, so it is the input that travels and not what the schema made of it.
      body: Buffer.from(text),
      headers: { ...(this.#isSpread ? spreadHeader(id) : {}), ...options.headers },
    };
  }

  async #publishWatched(
    checked: unknown,
    message: OutgoingMessage & { readonly headers: Record<string, string | number> },
    { signal }: PublishOptions,
    timeoutMs: number,
  ): Promise<undefined> {
    await checked;
    const { key: type, id, headers } = message;
    const send = () => this.#send(message, signal, timeoutMs);
    if (this.#isWrapped) await this.#around({ type, id, headers }, send);
    else await send();
  }

  #exchangeFor(delay: Duration | undefined, id: string, type: string): string {
    const { exchange, delays } = this.#topology;
    if (delay === undefined) return exchange;
    const delayMs = parseDurationMs(delay);
    if (delayMs !== undefined && delays.some((one) => parseDurationMs(one) === delayMs))
      return delayName(exchange, delayMs);
    const known = delays.length === 0 ? 'none' : delays.join(', ');
    throw new PublishError('INVALID', `delay ${delay} is not defined; the topology has ${known}`, {
      id,
      type,
    });
  }

  /** Wraps a publish by the hooks of the connection and of the publisher, the former outside. */
  async #around(info: OutgoingInfo, run: () => Promise<void>): Promise<void> {
    const wrappers = this.#hooks.flatMap(({ aroundPublish }) =>
      aroundPublish === undefined
        ? []
        : [(inner: () => Promise<void>) => aroundPublish(info, inner)],
    );
    await runThroughHooks(wrappers, run, (error) => {
      this.#warn('aroundPublish', `topology: aroundPublish failed: ${messageOf(error)}`);
    });
  }

  async #send(
    message: OutgoingMessage,
    signal: AbortSignal | undefined,
    timeoutMs: number,
  ): Promise<void> {
    // It may have been aborted while the body was checked, or in a hook.
    refuseAborted(signal, message.id, message.key);
    const { ended, giveUp } = this.#channel.publishWatched(message);
    const timer = timeoutMs < Infinity ? setTimeout(giveUp, timeoutMs) : undefined;
    signal?.addEventListener('abort', giveUp);
    const outcome = await ended;
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
    const isGivenUp = outcome === 'timeout' || outcome === 'unsent';
    const error =
      signal?.aborted === true && isGivenUp
        ? new PublishError('CLOSED', 'the signal was aborted', {
            id: message.id,
            type: message.key,
            mayHaveArrived: outcome === 'timeout',
            cause: signal.reason,
          })
        : this.#errorOf(outcome, message);
    if (error !== undefined) throw error;
  }

  #errorOf(outcome: PublishEnd['outcome'], message: OutgoingMessage): PublishError | undefined {
    const { id, exchange, key } = message;
    const failure = (code: PublishErrorCode, text: string, mayHaveArrived = false) =>
      new PublishError(code, text, {
        id,
        type: key,
        exchange,
        key,
        mayHaveArrived,
        returned: this.#channel.replyTo(message),
      });
    switch (outcome) {
      case 'confirmed':
        return undefined;
      case 'returned':
        return failure('UNROUTABLE', `no queue is bound to '${key}'; assert or apply the topology`);
      case 'nacked': {
        const isFanOut = (this.#fanOutCounts.get(key) ?? 0) > 1;
        return failure('QUEUE_FULL', `a queue of '${key}' is full`, isFanOut);
      }
      case 'unsendable':
        return failure(
          'INVALID',
          'it cannot be encoded: an id above 255 bytes, or headers too large',
        );
      case 'timeout':
        return failure('TIMEOUT', 'the broker did not confirm in time', true);
      case 'error':
        return failure('CONNECTION_LOST', 'the connection was lost before the confirm', true);
      case 'unsent':
        return this.#closed === undefined
          ? failure('TIMEOUT', 'no connection or no room in time')
          : failure('CLOSED', 'the publisher was closed before it was sent');
    }
  }
}

/** @throws PublishError `CLOSED` */
function refuseAborted(signal: AbortSignal | undefined, id: string, type: string): void {
  if (signal?.aborted !== true) return;
  const { reason: cause } = signal as { readonly reason: unknown };
  throw new PublishError('CLOSED', 'the signal was aborted', { id, type, cause });
}

function encode(body: unknown): string {
  const text = JSON.stringify(body) as string | undefined;
  if (text === undefined) throw new TypeError(`a body of type ${typeof body} is no JSON`);
  return text;
}

function publishErrorOf(thrown: unknown, id: string, type: string): PublishError {
  return thrown instanceof PublishError
    ? thrown
    : new PublishError('INVALID', messageOf(thrown), { id, type, cause: thrown });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
