/**
 * An AMQP connection that is opened again whenever it is lost, and that any number of publishers and consumers share. Built
 * on amqplib's recovery.
 */
import { setTimeout as pause } from 'node:timers/promises';
import {
  type ChannelModel,
  connect,
  credentials,
  type Options,
  type RecoveringChannelModel,
} from 'amqplib';
import { fault, TopologyError } from '../errors.ts';
import { combinePublishes } from './combinePublishes.ts';
import { combineWrites } from './combineWrites.ts';
import { type BrokerConnection, CONNECTION_LIMITS } from './connection.ts';
import { closeConnection, connectFailure, credentialsIn, isRefusal } from './openConnection.ts';
import { tolerateHeaders } from './tolerateHeaders.ts';

/** What happens to a connection; for logs and metrics. */
export type SessionEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'disconnected'; readonly error: Error }
  /** A connect failed, or something that uses the connection could not be set up on it. It is tried again. */
  | { readonly type: 'connectFailed'; readonly error: Error }
  /** A memory or disk alarm of the broker blocks publishers. */
  | { readonly type: 'blocked'; readonly reason: string }
  | { readonly type: 'unblocked' }
  | { readonly type: 'channelFailed'; readonly error: Error };

/** Where to connect. Timeouts and reconnect delays: `CONNECTION_LIMITS`. */
export interface SessionOptions {
  /** AMQP URL with credentials; several are tried in turn, from a random one on. */
  readonly url: string | readonly string[];
  /** Name in the broker's list of connections. */
  readonly label: string;
  /** Attached from the beginning: the session opens once it has succeeded. */
  readonly setup?: Setup;
  /** Is called for each event of the connection; must not throw. */
  readonly onEvent?: (event: SessionEvent) => void;
  /** Seconds; default that of `CONNECTION_LIMITS`. */
  readonly heartbeatSeconds?: number;
  /** Options of `tls.connect` and `net.connect`, such as `ca`, `cert`, `key`, `servername`, `family`. */
  readonly socket?: Readonly<Record<string, unknown>>;
  /** Milliseconds for the first connection, and for the first success of each setup; default Infinity. */
  readonly connectTimeoutMs?: number;
  /**
   * True: a broker that refuses user, virtual host or certificate at the first connection rejects `openSession`. Default
   * false: it is tried again, since another process may be about to create them.
   */
  readonly failsFast?: boolean;
  /** Aborted: ends the first connecting. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sets something up on a connection: opens channels, asserts the topology, starts consumers.
 * @param isReopened false for the first time on this connection; true where a channel on it was lost.
 */
export type Setup = (connection: BrokerConnection, isReopened: boolean) => Promise<void>;

/** One user of a session. */
export interface Attachment {
  /**
   * Resolves after the first success. What fails is reported and tried again with growing delays.
   * @throws TopologyError of the first run: what the broker holds differs from the plan, and trying again cannot change that;
   * `BROKER_UNREACHABLE` with the fault `SETUP_TIMEOUT` after `connectTimeoutMs`; Error once the session is closed.
   */
  readonly opened: Promise<void>;
  /** Runs the setup again on the same connection, since the user's channel is lost. Does nothing without a connection. */
  reopen(): void;
  /** No further setup runs. The user closes its channel itself. */
  detach(): void;
}

/** A connection that is opened again whenever it is lost, until it is closed. */
export interface Session {
  /** True while the connection is open. */
  readonly isUp: boolean;
  /** True while a memory or disk alarm blocks publishers: confirms come only when the alarm ends. */
  readonly isBlocked: boolean;
  /** Runs the setup on this and each further connection, because a lost connection takes its channels along. On a closed session it never runs. */
  attach(setup: Setup): Attachment;
  /** Is called at the end of each alarm. @returns a function that ends it. */
  onUnblocked(listener: () => void): () => void;
  /** Closes the connection for good. */
  close(): Promise<void>;
}

/**
 * Resolves at the first connection. Until then it tries again, with growing delays, and reports each failure.
 * @throws TopologyError `BROKER_UNREACHABLE` after `connectTimeoutMs`, `BROKER_REFUSED` with `failsFast`; the reason of
 * the signal.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const session = new RecoveringSession(options);
  await session.open();
  if (options.setup === undefined) return session;
  try {
    await session.attach(options.setup).opened;
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** URLs of one broker, or of the nodes of a cluster: the next one is tried after each failure. */
class BrokerUrls {
  readonly #urls: readonly string[];
  #index: number;

  constructor(url: string | readonly string[]) {
    this.#urls = typeof url === 'string' ? [url] : url;
    this.#index = Math.floor(Math.random() * this.#urls.length);
  }

  get current(): string {
    return this.#urls[this.#index] ?? '';
  }

  next(): void {
    this.#index = (this.#index + 1) % this.#urls.length;
  }
}

class RecoveringSession implements Session {
  readonly #options: SessionOptions;
  readonly #urls: BrokerUrls;
  readonly #attachments = new Set<SessionAttachment>();
  readonly #onUnblocked = new Set<() => void>();
  #recovering: RecoveringChannelModel | undefined;
  /** The newest connection, also one that is lost. */
  #newest: ChannelModel | undefined;
  #model: ChannelModel | undefined;
  #isBlocked = false;
  #isClosed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#urls = new BrokerUrls(options.url);
  }

  get isUp(): boolean {
    return this.#model !== undefined;
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** The connection, while it is up. */
  get model(): ChannelModel | undefined {
    return this.#model;
  }

  report(event: SessionEvent): void {
    this.#options.onEvent?.(event);
  }

  async open(): Promise<void> {
    const { label, heartbeatSeconds = CONNECTION_LIMITS.heartbeatSeconds, socket } = this.#options;
    // What cannot be read is a fault of the caller, and no failure to connect that is tried again.
    for (const url of [this.#options.url].flat()) credentialsIn(url);
    const recovering = await connect(addressOf(this.#urls, heartbeatSeconds), {
      ...socket,
      credentials: {
        mechanism: credentials.plain('', '').mechanism,
        response: () => credentialsIn(this.#urls.current).response(),
      },
      timeout: CONNECTION_LIMITS.sessionConnectTimeoutMs,
      noDelay: true,
      keepAlive: true,
      clientProperties: { connection_name: label },
      recovery: {
        initialDelay: CONNECTION_LIMITS.firstReconnectDelayMs,
        maxDelay: CONNECTION_LIMITS.longestReconnectDelayMs,
        waitForConnect: false,
        setup: (model: ChannelModel) => {
          // amqplib's recovery listens for errors only after the setup; an error event without a listener would end the process.
          model.on('error', () => undefined);
          tolerateHeaders(model);
          combineWrites(model);
          combinePublishes(model);
          this.#newest = model;
          return Promise.resolve();
        },
      },
    });
    this.#recovering = recovering;
    this.#watch(recovering);
    await this.#firstConnection(recovering);
  }

  attach(setup: Setup): Attachment {
    const { connectTimeoutMs = Infinity } = this.#options;
    const attachment = new SessionAttachment(this, setup, connectTimeoutMs, () => {
      this.#attachments.delete(attachment);
    });
    if (this.#isClosed) {
      attachment.detach();
      return attachment;
    }
    this.#attachments.add(attachment);
    if (this.#model !== undefined) attachment.run(this.#model, false);
    return attachment;
  }

  onUnblocked(listener: () => void): () => void {
    this.#onUnblocked.add(listener);
    return () => {
      this.#onUnblocked.delete(listener);
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const attachment of this.#attachments) attachment.detach();
    const close = () => this.#recovering?.close() ?? Promise.resolve();
    await (this.#newest === undefined ? close() : closeConnection(this.#newest, close));
    this.#model = undefined;
  }

  #watch(recovering: RecoveringChannelModel): void {
    recovering.on('connect', (model) => {
      this.#model = model;
      this.report({ type: 'connected' });
      for (const attachment of this.#attachments) attachment.run(model, false);
    });
    recovering.on('disconnect', (error) => {
      this.#model = undefined;
      this.#isBlocked = false;
      this.#urls.next();
      this.report({ type: 'disconnected', error });
    });
    recovering.on('connect-failed', (error) => {
      this.#urls.next();
      this.report({ type: 'connectFailed', error });
    });
    recovering.on('blocked', (reason) => {
      this.#isBlocked = true;
      this.report({ type: 'blocked', reason });
    });
    recovering.on('unblocked', () => {
      this.#isBlocked = false;
      this.report({ type: 'unblocked' });
      for (const listener of this.#onUnblocked) listener();
    });
    // An error is followed by `disconnect`, which carries the reason; without a listener the error would end the process.
    recovering.on('error', () => undefined);
  }

  async #firstConnection(recovering: RecoveringChannelModel): Promise<void> {
    const { connectTimeoutMs = Infinity, failsFast = false, signal } = this.#options;
    let latest: TopologyError | undefined;
    let timer: NodeJS.Timeout | undefined;
    let abort: (() => void) | undefined;
    const ended = new Promise<never>((_, reject) => {
      // The URL is the one that failed: the listener that takes the next one was added before.
      recovering.prependListener('connect-failed', (error) => {
        latest = connectFailure(error, this.#urls.current);
        if (failsFast && isRefusal(latest)) reject(latest);
      });
      if (connectTimeoutMs < Infinity)
        timer = setTimeout(() => {
          reject(latest ?? connectFailure(new Error('connect ETIMEDOUT'), this.#urls.current));
        }, connectTimeoutMs);
      abort = () => {
        reject(signal?.reason as Error);
      };
      if (signal?.aborted === true) abort();
      else signal?.addEventListener('abort', abort);
    });
    try {
      await Promise.race([recovering.waitForConnect(), ended]);
    } catch (error) {
      await recovering.close();
      throw error;
    } finally {
      clearTimeout(timer);
      if (abort !== undefined) signal?.removeEventListener('abort', abort);
    }
  }
}

class SessionAttachment implements Attachment {
  readonly opened: Promise<void>;
  readonly #session: RecoveringSession;
  readonly #setup: Setup;
  readonly #onDetach: () => void;
  #resolveOpened: () => void = () => undefined;
  #rejectOpened: (error: unknown) => void = () => undefined;
  #hasOpened = false;
  #isDetached = false;
  /** Connection on which a setup runs now. */
  #running: ChannelModel | undefined;
  #mustRunAgain = false;
  #lastOpenedAtMs = -Infinity;
  #latestFailure: Error | undefined;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(session: RecoveringSession, setup: Setup, timeoutMs: number, onDetach: () => void) {
    this.#session = session;
    this.#setup = setup;
    this.#onDetach = onDetach;
    this.opened = new Promise((resolve, reject) => {
      this.#resolveOpened = resolve;
      this.#rejectOpened = reject;
    });
    // Nobody may wait any more where the session is closed meanwhile.
    this.opened.catch(() => undefined);
    if (timeoutMs < Infinity)
      this.#timer = setTimeout(() => {
        this.#giveUp(timeoutMs);
      }, timeoutMs);
  }

  reopen(): void {
    const { model } = this.#session;
    if (model === undefined || this.#isDetached) return;
    if (this.#running === model) this.#mustRunAgain = true;
    else this.run(model, true);
  }

  detach(): void {
    this.#isDetached = true;
    clearTimeout(this.#timer);
    this.#onDetach();
    this.#rejectOpened(new Error('the session was closed'));
  }

  run(model: ChannelModel, isReopened: boolean): void {
    this.#running = model;
    void this.#runUntilOpen(model, isReopened).finally(() => {
      if (this.#running === model) this.#running = undefined;
    });
  }

  /** Runs the setup until it succeeds, the connection ends, or nobody needs it any more. */
  async #runUntilOpen(model: ChannelModel, isReopened: boolean): Promise<void> {
    let isAgain = isReopened;
    let delayMs: number = CONNECTION_LIMITS.firstReconnectDelayMs;
    // A channel that is lost as soon as it is open must not be opened in a busy loop.
    if (isAgain && performance.now() - this.#lastOpenedAtMs < delayMs) await waitFor(delayMs);
    while (this.#isCurrent(model)) {
      this.#mustRunAgain = false;
      try {
        await this.#setup(model, isAgain);
        if (!this.#isCurrent(model)) return;
        if (!this.#isLost()) {
          this.#lastOpenedAtMs = performance.now();
          this.#hasOpened = true;
          clearTimeout(this.#timer);
          this.#resolveOpened();
          return;
        }
      } catch (error) {
        if (!this.#isCurrent(model)) return;
        if (!this.#hasOpened && error instanceof TopologyError) {
          this.#rejectOpened(error);
          this.detach();
          return;
        }
        const failure = error instanceof Error ? error : new Error(String(error));
        this.#latestFailure = failure;
        this.#session.report({ type: 'connectFailed', error: failure });
      }
      isAgain = true;
      await waitFor(delayMs);
      delayMs = Math.min(delayMs * 2, CONNECTION_LIMITS.longestReconnectDelayMs);
    }
  }

  #giveUp(timeoutMs: number): void {
    const reason = this.#latestFailure?.message ?? 'there was no connection';
    const text = `nothing could be set up on the connection within ${timeoutMs} ms: ${reason}`;
    this.#rejectOpened(
      new TopologyError('BROKER_UNREACHABLE', [fault('SETUP_TIMEOUT', 'connection', text)], {
        cause: this.#latestFailure,
      }),
    );
    this.detach();
  }

  /** Methods, because both values may change during an await, which the compiler does not assume of properties. */
  #isLost(): boolean {
    return this.#mustRunAgain;
  }

  #isCurrent(model: ChannelModel): boolean {
    return this.#session.model === model && !this.#isDetached;
  }
}

async function waitFor(delayMs: number): Promise<void> {
  await pause(delayMs);
}

/** amqplib reads these fields anew for each connect, so that each may go to another URL. */
function addressOf(urls: BrokerUrls, heartbeatSeconds: number): Options.Connect {
  const read = () => new URL(urls.current);
  const numberOf = (name: string): Record<string, number> => {
    const value = read().searchParams.get(name);
    return value === null ? {} : { [name]: Number(value) };
  };
  return {
    get protocol() {
      return read().protocol.slice(0, -1);
    },
    get hostname() {
      return read().hostname.replace(/^\[|\]$/g, '');
    },
    get port() {
      const { port, protocol } = read();
      return port === '' ? (protocol === 'amqps:' ? 5671 : 5672) : Number(port);
    },
    // As it is in the URL: amqplib decodes it.
    get vhost() {
      return read().pathname.slice(1);
    },
    heartbeat: heartbeatSeconds,
    ...numberOf('frameMax'),
    ...numberOf('channelMax'),
  };
}
