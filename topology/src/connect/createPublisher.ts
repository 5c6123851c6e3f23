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
import { priorityNumber } from '../declaration/priorities.ts';
import type { AnyTopology, Queues, Topology } from '../define/defineTopology.ts';
import { type BodyInput, checkBody, type MessageName, namesOn } from '../define/messages.ts';
import { delayName } from '../plan/names.ts';
import { type PublishTarget, publishTarget, replayTarget } from '../retry/attempt.ts';
import { spreadHeader } from '../retry/spread.ts';
import { declaredObjects } from '../work/workerLink.ts';
import {
  boundMs,
  type Connection,
  DEFAULT_STOP_MS,
  openOn,
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
  /**
   * Time for each publish that is given none; default '10s'; at most 24 days, or Infinity: then only the end of the connection
   * ends a missing confirm, which its heartbeat brings about where the broker does not answer. A program that publishes again
   * what was not confirmed needs that: a broker that only stood still would store both copies.
   */
  readonly timeout?: Duration;
  /** `fail`: without a connection a publish ends at once, as `CONNECTION_LOST`. Default `wait`, until its time is over. */
  readonly whenDisconnected?: 'wait' | 'fail';
  /**
   * Makes the bytes of a body, for example compressed or encrypted; a worker needs the `decode` that fits. The schema then
   * checks the body that is given. Default JSON.
   */
  readonly encode?: (body: unknown, type: string) => Uint8Array;
}

/** The priorities that queues of a topology declare. */
export type PriorityName<T extends AnyTopology> = string extends keyof T['queues']
  ? string
  : {
      [N in keyof T['queues']]: T['queues'][N] extends {
        readonly priorities: readonly (infer Priority extends string)[];
      }
        ? Priority
        : never;
    }[keyof T['queues']];

/** How one message is published. */
export interface PublishOptions<T extends AnyTopology = AnyTopology> {
  /** One of the delays that the topology defines: the message is delivered after it. Default none. */
  readonly delay?: T['delays'][number];
  /** One of the priorities that a queue of the message declares. Default: their middle level. */
  readonly priority?: PriorityName<T> & string;
  /** At most 255 bytes; default a UUID. A resend uses the same, so that consumers recognise it. */
  readonly id?: string;
  /** Names that begin with `x-` belong to the broker and are left out. */
  readonly headers?: Readonly<Record<string, string | number>>;
  /** One queue alone gets it, as if attempts were over. Default: all queues of the message. */
  readonly to?: OneQueue<MessageName<T['queues']>>;
  /**
   * Default that of the publisher; at most 24 days, or Infinity. It covers waiting for a connection, for room and for the
   * confirm.
   */
  readonly timeout?: Duration;
  /** Aborted before the message is sent: it is not sent. Afterwards: its confirm is no longer awaited. */
  readonly signal?: AbortSignal;
}

/** Where a message goes on that a queue has lost, or that was taken from it. */
export interface OneQueue<Name extends string = string> {
  /** Name of a queue of the topology that gets the message. */
  readonly queue: Name;
  /**
   * Rounds that are over, as `settle` was told: the message begins with the attempt after them. Default 0. With the native back
   * end it always begins with its first attempt, since its queue counts them.
   */
  readonly spent?: number;
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
  /** The same without a throw. */
  tryPublish<N extends MessageName<T['messages']>>(
    type: N,
    body: BodyInput<T['messages'][N]>,
    options?: PublishOptions<T>,
  ): Promise<PublishReport>;
  /**
   * As `tryPublish`, for relays that publish thousands of messages at once: without a promise for each of them.
   * @param onEnd is called once, perhaps before `send` returns; undefined: confirmed. Must not throw.
   */
  send<N extends MessageName<T['messages']>>(
    type: N,
    body: BodyInput<T['messages'][N]>,
    options: PublishOptions<T>,
    onEnd: (error: PublishError | undefined) => void,
  ): void;
  /** Messages that are sent and not confirmed yet. */
  readonly unconfirmed: number;
  /** True while its channel is open, whether an alarm of the broker blocks it or not. */
  readonly isUp: boolean;
  /** Why the topology differs from the declaration and cannot be restored; undefined if it does not. */
  readonly topologyFault: string | undefined;
  /** Waits for confirms, then closes its channel. */
  close(options?: StopOptions): Promise<void>;
}

const CREATE_OPTIONS = [
  'connection',
  'topology',
  'assert',
  'hooks',
  'window',
  'timeout',
  'whenDisconnected',
  'encode',
] as const satisfies readonly (keyof CreatePublisherOptions<AnyTopology>)[];
const PUBLISH_OPTIONS = [
  'delay',
  'priority',
  'id',
  'headers',
  'to',
  'timeout',
  'signal',
] as const satisfies readonly (keyof PublishOptions)[];
const IS_PUBLISH_OPTION: Readonly<Record<string, boolean>> = Object.fromEntries(
  PUBLISH_OPTIONS.map((name) => [name, true]),
);
const DEFAULT_WINDOW = 1_000;
const DEFAULT_TIMEOUT = '10s';

/** @throws ConnectError, TopologyError if the broker cannot carry the topology; TypeError for a misspelt option. */
export async function createPublisher<const T extends AnyTopology>(
  options: CreatePublisherOptions<T>,
): Promise<Publisher<T>> {
  refuseUnknown('createPublisher', options, CREATE_OPTIONS);
  const { connection, topology, window = DEFAULT_WINDOW, assert = 'create', hooks } = options;
  const { timeout = DEFAULT_TIMEOUT, whenDisconnected = 'wait', encode } = options;
  if (!(window >= 1)) throw new TypeError(`window must be at least 1, not ${window}`);
  if (!['wait', 'fail'].includes(whenDisconnected))
    throw new TypeError(`whenDisconnected must be wait or fail, not ${whenDisconnected}`);
  const timeoutMs = boundMs('timeout', timeout);
  const open = async (shared: SharedConnection, close: () => Promise<void>) => {
    const maintainer = shared.maintainerOf(topology.declaration, assert);
    const channel = await ChannelPublisher.open({
      ...shared.placeOf('publish'),
      prepare: async (model, isReopened) => {
        const plan = await maintainer.prepare(model, isReopened);
        return declaredObjects(plan, assert);
      },
      maxUnconfirmed: window,
      confirmTimeoutMs: timeoutMs,
      waitsForConnection: whenDisconnected === 'wait',
    });
    return new TopologyPublisher(shared, channel, topology, {
      hooks,
      encode,
      timeoutMs,
      topologyFault: () => maintainer.fault,
      closeConnection: close,
    });
  };
  return await openOn(connection, open, (publisher) => publisher.close({ deadline: 0 }));
}

/** A message whose name and headers are known. */
type SentMessage = OutgoingMessage & {
  readonly type: string;
  readonly headers: Readonly<Record<string, string | number>>;
};
/** The options of a publish, whatever its topology. */
type GivenOptions = Omit<PublishOptions<Topology>, 'priority' | 'to'> & {
  readonly priority?: string;
  readonly to?: OneQueue;
};
/** What a publisher needs of its connection. */
type PublisherConnection = Pick<SharedConnection, 'addPublisher' | 'hooks' | 'logger'>;
/** What a publisher publishes on. */
type PublisherChannel = Pick<
  ChannelPublisher,
  'close' | 'isReady' | 'isUp' | 'pendingCount' | 'publishWatched' | 'replyTo' | 'send'
>;

/** How a publisher publishes. */
interface PublisherParts {
  readonly hooks: Hooks | undefined;
  readonly encode: ((body: unknown, type: string) => Uint8Array) | undefined;
  readonly timeoutMs: number;
  readonly topologyFault: () => string | undefined;
  readonly closeConnection: () => Promise<void>;
}

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
  readonly #encode: PublisherParts['encode'];
  readonly #timeoutMs: number;
  readonly #topologyFault: PublisherParts['topologyFault'];
  #pendingCount = 0;
  #onIdle: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    connection: PublisherConnection,
    channel: PublisherChannel,
    topology: T,
    { hooks, encode, timeoutMs, topologyFault, closeConnection }: PublisherParts,
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
    this.#encode = encode;
    this.#timeoutMs = timeoutMs;
    this.#topologyFault = topologyFault;
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

  get isUp(): boolean {
    return this.#channel.isUp;
  }

  get unconfirmed(): number {
    return this.#channel.pendingCount;
  }

  get topologyFault(): string | undefined {
    return this.#topologyFault();
  }

  async publish(
    type: string,
    body: unknown,
    options: GivenOptions = {},
  ): Promise<{ readonly id: string }> {
    const { id, error } = await this.tryPublish(type, body, options);
    if (error !== undefined) throw error;
    return { id };
  }

  tryPublish(type: string, body: unknown, options: GivenOptions = {}): Promise<PublishReport> {
    const id = options.id ?? randomUUID();
    return new Promise((resolve) => {
      this.#publish(type, body, options, id, (error) => {
        resolve(error === undefined ? { id } : { id, error });
      });
    });
  }

  send(
    type: string,
    body: unknown,
    options: GivenOptions,
    onEnd: (error: PublishError | undefined) => void,
  ): void {
    this.#publish(type, body, options, options.id ?? randomUUID(), onEnd);
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

  /** Without promises, unless they are asked for: a publisher has thousands of messages a second. */
  #publish(
    type: string,
    body: unknown,
    options: GivenOptions,
    id: string,
    onEnd: (error: PublishError | undefined) => void,
  ): void {
    const startedAtMs = this.#isHeard ? performance.now() : 0;
    this.#pendingCount += 1;
    let message: SentMessage | undefined;
    const end = (error: PublishError | undefined): void => {
      this.#pendingCount -= 1;
      if (this.#pendingCount === 0) this.#onIdle?.();
      if (this.#isHeard)
        this.#tell({
          type: 'published',
          message: type,
          exchange: message?.exchange ?? '',
          key: message?.key ?? '',
          result: error?.code ?? 'confirmed',
          durationMs: performance.now() - startedAtMs,
        });
      onEnd(error);
    };
    const fail = (thrown: unknown) => {
      end(publishErrorOf(thrown, id, type));
    };
    try {
      const schema = this.#schemaFor(type, options, id);
      const timeoutMs =
        options.timeout === undefined ? this.#timeoutMs : boundMs('timeout', options.timeout);
      const { bytes, checked } = this.#encoded(type, schema, body);
      const sent = this.#messageOf(type, bytes, options, id);
      message = sent;
      // It is the last that may fail here, because nobody would see the rejection of an asynchronous check.
      const late = checked();
      const isPlain = options.timeout === undefined && options.signal === undefined;
      if (isPlain && !this.#isWrapped && !(late instanceof Promise))
        this.#channel.send(sent, (outcome) => {
          end(this.#errorOf(outcome, sent));
        });
      else void this.#publishWatched(late, sent, options, timeoutMs).then(end, fail);
    } catch (error) {
      fail(error);
    }
  }

  /** What is sent is checked, since that is what the worker's schema gets: in JSON a date travels as text. */
  #encoded(
    type: string,
    schema: StandardSchemaV1,
    body: unknown,
  ): { readonly bytes: Buffer; readonly checked: () => unknown } {
    if (this.#encode === undefined) {
      const text = encode(body);
      return {
        // The consumer's schema reads it again, so it is the input that travels and not what the schema made of it.
        bytes: Buffer.from(text),
        checked: () => checkBody(type, schema, JSON.parse(text)),
      };
    }
    const bytes = this.#encode(body, type);
    return {
      bytes: Buffer.isBuffer(bytes)
        ? bytes
        : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      checked: () => checkBody(type, schema, body),
    };
  }

  /** @throws PublishError, TypeError for what is wrong with anything but the body. */
  #schemaFor(type: string, options: GivenOptions, id: string): StandardSchemaV1 {
    if (this.#closed !== undefined)
      throw new PublishError('CLOSED', 'the publisher is closed', { id, type });
    for (const name in options)
      if (IS_PUBLISH_OPTION[name] !== true) refuseUnknown('publish', options, PUBLISH_OPTIONS);
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

  #messageOf(type: string, body: Buffer, options: GivenOptions, id: string): SentMessage {
    const { delay, to, headers = {}, priority } = options;
    const target = to === undefined ? undefined : this.#targetOf(to, delay, { id, type });
    return {
      exchange: target?.exchange ?? this.#exchangeFor(delay, id, type),
      key: target?.key ?? type,
      type,
      id,
      body,
      priority: this.#priorityOf(type, priority, id),
      // A hook may add to them.
      headers:
        this.#isWrapped || this.#isSpread
          ? { ...(this.#isSpread ? spreadHeader(id) : {}), ...headers }
          : headers,
    };
  }

  #targetOf(
    { queue, spent = 0 }: { readonly queue: string; readonly spent?: number },
    delay: Duration | undefined,
    details: { readonly id: string; readonly type: string },
  ): PublishTarget {
    const { declaration } = this.#topology;
    const kind = declaration.kinds.find((one) => one.kind === queue);
    if (kind === undefined)
      throw new PublishError('INVALID', `'${queue}' is none of the queues`, details);
    if (delay !== undefined)
      throw new PublishError('INVALID', 'a message for one queue cannot be delayed', details);
    if (!(Number.isInteger(spent) && spent >= 0))
      throw new PublishError('INVALID', `spent must be a whole number, not ${spent}`, details);
    const target = publishTarget(declaration, kind, spent);
    return target.exchange === declaration.exchange ? replayTarget(declaration, kind) : target;
  }

  async #publishWatched(
    checked: unknown,
    message: SentMessage,
    { signal }: GivenOptions,
    timeoutMs: number,
  ): Promise<undefined> {
    await checked;
    const { type, id, headers } = message;
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

  /** All queues of a message understand a name alike: see `PRIORITY_CONFLICT`. */
  #priorityOf(type: string, name: string | undefined, id: string): number | undefined {
    if (name === undefined) return undefined;
    const known = this.#topology.declaration.kinds
      .filter(({ keys }) => namesOn(keys, [type]).length > 0)
      .map(({ priorities }) => priorities);
    for (const priorities of known) {
      const number = priorityNumber(priorities, name);
      if (number !== undefined) return number;
    }
    const names = [...new Set(known.flat())].join(', ') || 'none';
    throw new PublishError('INVALID', `priority ${name} is not defined; '${type}' has ${names}`, {
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
    message: SentMessage,
    signal: AbortSignal | undefined,
    timeoutMs: number,
  ): Promise<void> {
    // It may have been aborted while the body was checked, or in a hook.
    refuseAborted(signal, message.id, message.type);
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
            type: message.type,
            mayHaveArrived: outcome === 'timeout',
            cause: signal.reason,
          })
        : this.#errorOf(outcome, message);
    if (error !== undefined) throw error;
  }

  #errorOf(outcome: PublishEnd['outcome'], message: SentMessage): PublishError | undefined {
    const { id, type, exchange, key } = message;
    const failure = (code: PublishErrorCode, text: string, mayHaveArrived = false) =>
      new PublishError(code, text, {
        id,
        type,
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
