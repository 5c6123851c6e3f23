/** One pair of connections for a whole process: one publishes, one consumes, any number of publishers and workers share them. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import {
  type ConsumerOptions,
  Inspector,
  openSession,
  type QueueDepth,
  type Session,
  type SessionEvent,
} from '../amqp/index.ts';
import { type AssertMode, TopologyMaintainer } from '../assert/index.ts';
import type { Declaration } from '../declaration/declareTopology.ts';
import { type Duration, parseDurationMs } from '../declaration/duration.ts';
import { TopologyError } from '../errors.ts';
import { type Hooks, type Logger, type TopologyEvent, teller, throttledWarning } from './hooks.ts';

/** Where to connect. Only `url` is required. */
export interface ConnectionOptions {
  /** AMQP URL with credentials; several, such as the nodes of a cluster, are tried in turn from a random one on. */
  readonly url: string | readonly string[];
  /**
   * URL of the management API with credentials. With it limits are policies, which can be changed while everything runs.
   * Give it to every process of a broker or to none. Default none.
   */
  readonly managementUrl?: string;
  /** Shown in the broker's list of connections; default the name in the program's package.json. */
  readonly name?: string;
  /** Bound of the first connection, and of the first opening of each publisher and worker on it; default '10s', at most 24 days; 'forever' waits. A refused login, virtual host or certificate rejects at once. */
  readonly connectTimeout?: Duration | 'forever';
  /** Whole seconds after which a silent broker is asked for a sign of life; default '10s'. */
  readonly heartbeat?: Duration;
  /** Certificates for amqps:, as for `tls.connect`. */
  readonly tls?: TlsOptions;
  /** Options of the sockets, as for `net.connect`. */
  readonly socket?: { readonly family?: 4 | 6; readonly localAddress?: string };
  /** Aborted: ends connecting, and later closes the connection without waiting for what runs. */
  readonly signal?: AbortSignal;
  /** Events of all publishers and workers on it. */
  readonly hooks?: Hooks;
  /** Default: lines on stderr, one for each loss and each recovery; false is silent. */
  readonly logger?: Logger | false;
}

/** How long to wait at a stop. */
export interface StopOptions {
  /** For running attempts and unconfirmed messages; default '30s', at most 24 days or Infinity. Then signals are aborted, and the rest goes back to its queue. */
  readonly deadline?: Duration;
}

/** How workers were stopped. */
export interface StopReport {
  /** Messages that ended during the stop. */
  readonly finished: number;
  /** Messages that went back to their queues. */
  readonly returned: number;
}

/** Two sockets for any number of publishers and workers. It comes back by itself after a loss. */
export interface Connection extends AsyncDisposable {
  /** True while both sockets are connected. */
  readonly isUp: boolean;
  /** True while a memory or disk alarm of the broker blocks publishers. */
  readonly isBlocked: boolean;
  /**
   * Asks the broker by a passive declaration, which is exact, while the management API lags by seconds.
   * @param queue its name on the broker.
   * @throws Error if the queue is missing, the broker is away, or it does not answer within 10 s.
   */
  depthOf(queue: string): Promise<QueueDepth>;
  /** Stops workers, then publishers, then closes the sockets. */
  close(options?: StopOptions): Promise<StopReport>;
}

/** Why a connection failed, or cannot be used. */
export type ConnectErrorCode =
  | 'UNREACHABLE'
  | 'LOGIN_REFUSED'
  | 'VHOST_MISSING'
  | 'TLS_FAILED'
  | 'TIMEOUT'
  | 'CLOSED';

/** The first connection failed, nothing could be set up on it in time, or it is closed. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  readonly code: ConnectErrorCode;
  /** Without its password. */
  readonly url: string;

  constructor(code: ConnectErrorCode, url: string, text: string, cause: unknown) {
    super(`${code} ${url}: ${text}`, { cause });
    this.code = code;
    this.url = url;
  }
}

const OPTIONS = [
  'url',
  'managementUrl',
  'name',
  'connectTimeout',
  'heartbeat',
  'tls',
  'socket',
  'signal',
  'hooks',
  'logger',
] as const satisfies readonly (keyof ConnectionOptions)[];

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
export const DEFAULT_STOP_MS = 30_000;
const STDERR: Logger = {
  info: (text: unknown) => process.stderr.write(`${String(text)}\n`),
  warn: (text: unknown) => process.stderr.write(`${String(text)}\n`),
  error: (text: unknown) => process.stderr.write(`${String(text)}\n`),
};
const SILENT: Logger = { info: ignore, warn: ignore, error: ignore };

/**
 * Connects twice, for publishing and for consuming, because an alarm of the broker blocks a publishing connection.
 * @throws ConnectError with a code; TypeError for a wrong or misspelt option; the reason of the signal.
 */
export async function createConnection(options: string | ConnectionOptions): Promise<Connection> {
  return await openShared(typeof options === 'string' ? { url: options } : options);
}

async function openShared(options: ConnectionOptions): Promise<SharedConnection> {
  refuseUnknown('createConnection', options, OPTIONS);
  const connection = new SharedConnection(options);
  await connection.open();
  return connection;
}

/** What is closed with a connection. */
interface Member {
  stop(options: StopOptions): Promise<StopReport | undefined>;
}

/** What publishers and workers use of a connection; programs see `Connection` alone. */
export class SharedConnection implements Connection {
  readonly logger: Logger;
  readonly #options: ConnectionOptions;
  readonly #tell: (event: TopologyEvent) => void;
  readonly #maintainers = new Map<string, Map<Declaration, TopologyMaintainer>>();
  readonly #workers = new Set<Member>();
  readonly #publishers = new Set<Member>();
  readonly #openings = new Set<Promise<unknown>>();
  readonly #warn: (kind: string, text: string) => void;
  #publishing: Session | undefined;
  #consuming: Session | undefined;
  #inspector: Promise<Inspector> | undefined;
  #isLost = false;
  #closed: Promise<StopReport> | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.logger = options.logger === false ? SILENT : (options.logger ?? STDERR);
    this.#tell = teller([options.hooks], this.logger);
    this.#warn = throttledWarning(this.logger);
  }

  get isUp(): boolean {
    return this.#publishing?.isUp === true && this.#consuming?.isUp === true;
  }

  get isBlocked(): boolean {
    return this.#publishing?.isBlocked === true;
  }

  async depthOf(queue: string): Promise<QueueDepth> {
    if (this.isClosed) throw this.#closedError(undefined);
    // Not on the connection that publishes: an alarm of the broker keeps it from reading there.
    this.#inspector ??= Inspector.open({ session: this.consuming, url: '', label: '' }).catch(
      (error: unknown) => {
        this.#inspector = undefined;
        throw error;
      },
    );
    return await (await this.#inspector).depthOf(queue);
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  get hooks(): Hooks | undefined {
    return this.#options.hooks;
  }

  get publishing(): Session {
    return present(this.#publishing);
  }

  get consuming(): Session {
    return present(this.#consuming);
  }

  /** Which topology is asserted on this connection how: once for all that use it. */
  maintainerOf(declaration: Declaration, assert: AssertMode): TopologyMaintainer {
    const ofMode = this.#maintainers.get(assert) ?? new Map<Declaration, TopologyMaintainer>();
    this.#maintainers.set(assert, ofMode);
    const known = ofMode.get(declaration);
    if (known !== undefined) return known;
    const maintainer = new TopologyMaintainer(declaration, {
      amqpUrl: this.#firstUrl,
      managementUrl: this.#options.managementUrl,
      assert,
      onWarning: ({ code, subject, remedy }) => {
        this.#tell({ type: 'warning', code, subject, remedy });
        // Without a management URL this is so by choice, and a line at each start would hide those that matter.
        if (code !== 'CHECKS_SKIPPED') this.logger.warn(`topology: ${code} ${subject}: ${remedy}`);
      },
    });
    ofMode.set(declaration, maintainer);
    return maintainer;
  }

  /** For a `Publisher` or a `Consumer`: it is connected already. */
  placeOf(
    purpose: 'publish' | 'consume',
  ): Pick<ConsumerOptions, 'label' | 'onEvent' | 'session' | 'url'> {
    return {
      session: purpose === 'publish' ? this.publishing : this.consuming,
      url: '',
      label: '',
      onEvent: this.reporterOf(purpose),
    };
  }

  /** What publishers and workers report their channels to. */
  reporterOf(purpose: 'publish' | 'consume'): (event: SessionEvent) => void {
    return (event) => {
      this.#onSession(purpose, event);
    };
  }

  /**
   * Opens a publisher or a worker. One that opens while the connection closes is stopped, since `close` does not know it yet.
   * @throws ConnectError `CLOSED`, `TIMEOUT`; what `open` throws.
   */
  async opening<Opened>(
    open: () => Promise<Opened>,
    stop: (opened: Opened) => Promise<unknown>,
  ): Promise<Opened> {
    if (this.isClosed) throw this.#closedError(undefined);
    const opening = this.#openOrStop(open, stop);
    this.#openings.add(opening);
    try {
      return await opening;
    } finally {
      this.#openings.delete(opening);
    }
  }

  async #openOrStop<Opened>(
    open: () => Promise<Opened>,
    stop: (opened: Opened) => Promise<unknown>,
  ): Promise<Opened> {
    let opened: Opened;
    try {
      opened = await open();
    } catch (error) {
      if (this.isClosed) throw this.#closedError(error);
      const [first] = error instanceof TopologyError ? error.faults : [];
      if (first?.code !== 'SETUP_TIMEOUT') throw error;
      throw new ConnectError('TIMEOUT', withoutPassword(this.#firstUrl), first.remedy, error);
    }
    if (!this.isClosed) return opened;
    await stop(opened);
    throw this.#closedError(undefined);
  }

  #closedError(cause: unknown): ConnectError {
    const url = withoutPassword(this.#firstUrl);
    return new ConnectError('CLOSED', url, 'the connection is closed', cause);
  }

  addWorker(worker: Member): () => void {
    this.#workers.add(worker);
    return () => this.#workers.delete(worker);
  }

  addPublisher(publisher: Member): () => void {
    this.#publishers.add(publisher);
    return () => this.#publishers.delete(publisher);
  }

  async open(): Promise<void> {
    const { url, connectTimeout = DEFAULT_CONNECT_TIMEOUT_MS, signal } = this.#options;
    for (const one of [url].flat()) requireAmqpUrl(one);
    if ([url].flat().length === 0) throw new TypeError('url must have at least one URL');
    signal?.throwIfAborted();
    const connectTimeoutMs =
      connectTimeout === 'forever' ? Infinity : boundMs('connectTimeout', connectTimeout);
    const opened = await Promise.allSettled([
      this.#openSession('publish', connectTimeoutMs),
      this.#openSession('consume', connectTimeoutMs),
    ]);
    const [publishing, consuming] = opened.map((one) =>
      one.status === 'fulfilled' ? one.value : undefined,
    );
    this.#publishing = publishing;
    this.#consuming = consuming;
    const failed = opened.find(({ status }) => status === 'rejected');
    if (failed !== undefined) {
      await this.#closeSessions();
      throw connectErrorOf((failed as PromiseRejectedResult).reason);
    }
    signal?.addEventListener('abort', () => {
      void this.close({ deadline: 0 });
    });
  }

  close({ deadline = DEFAULT_STOP_MS }: StopOptions = {}): Promise<StopReport> {
    this.#closed ??= this.#close(boundMs('deadline', deadline));
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(deadlineMs: number): Promise<StopReport> {
    const endMs = performance.now() + deadlineMs;
    const left = () => ({ deadline: Math.max(0, Math.round(endMs - performance.now())) });
    const reports = await Promise.all([...this.#workers].map((worker) => worker.stop(left())));
    await Promise.all([...this.#publishers].map((publisher) => publisher.stop(left())));
    await this.#closeSessions();
    // Without its sessions an opening ends at once.
    await Promise.allSettled([...this.#openings]);
    return {
      finished: reports.reduce((sum, report) => sum + (report?.finished ?? 0), 0),
      returned: reports.reduce((sum, report) => sum + (report?.returned ?? 0), 0),
    };
  }

  async #closeSessions(): Promise<void> {
    await Promise.all([this.#publishing?.close(), this.#consuming?.close()]);
  }

  async #openSession(purpose: 'publish' | 'consume', connectTimeoutMs: number): Promise<Session> {
    const { url, name = programName(), heartbeat = '10s', tls, socket, signal } = this.#options;
    return await openSession({
      url,
      label: `${name} (${purpose})`,
      heartbeatSeconds: Math.ceil(durationMs('heartbeat', heartbeat) / 1_000),
      socket: { ...socket, ...tls },
      connectTimeoutMs,
      failsFast: true,
      signal,
      onEvent: (event) => {
        this.#onSession(purpose, event);
      },
    });
  }

  #onSession(purpose: 'publish' | 'consume', event: SessionEvent): void {
    switch (event.type) {
      case 'connected':
        this.#tell({ type: 'connected', purpose });
        // `isUp` is of both, and this one is up a moment later.
        if (this.#isLost)
          setImmediate(() => {
            this.#tellRecovery();
          });
        return;
      case 'disconnected':
        this.#tell({ type: 'disconnected', purpose, error: event.error });
        this.#tellLoss(event.error);
        return;
      case 'connectFailed':
        this.#tell({ type: 'connectFailed', purpose, error: event.error });
        // While it is down there is a line about the loss; while it is up, something could not be set up on it.
        if ((purpose === 'publish' ? this.#publishing : this.#consuming)?.isUp === true)
          this.#warn(
            `setup ${purpose} ${event.error.message}`,
            `topology: a channel to ${purpose} could not be set up, trying again: ${event.error.message}`,
          );
        return;
      case 'blocked':
        this.logger.warn(`topology: the broker blocks publishers: ${event.reason}`);
        this.#tell({ type: 'blocked', reason: event.reason });
        return;
      case 'unblocked':
        this.logger.info('topology: the broker blocks publishers no more');
        this.#tell({ type: 'unblocked' });
        return;
      case 'channelFailed':
        this.#tell({ type: 'channelFailed', purpose, error: event.error });
        this.#warn(
          `channel ${purpose} ${event.error.message}`,
          `topology: the broker closed a channel: ${event.error.message}`,
        );
    }
  }

  /** One line, although both sockets are lost at the same time. */
  #tellLoss(error: Error): void {
    if (this.#isLost || this.isClosed) return;
    this.#isLost = true;
    this.logger.warn(
      `topology: connection to ${withoutPassword(this.#firstUrl)} lost (${error.message}), connecting again`,
    );
  }

  #tellRecovery(): void {
    if (!this.#isLost || !this.isUp) return;
    this.#isLost = false;
    this.logger.info(`topology: connected to ${withoutPassword(this.#firstUrl)} again`);
  }

  get #firstUrl(): string {
    return [this.#options.url].flat()[0] ?? '';
  }
}

/** What the low-level parts need of a connection. */
export interface ConnectionParts {
  /** For a `Publisher` of `@fit/topology/amqp`. */
  readonly publishing: Session;
  /** For a `Consumer` of `@fit/topology/amqp`. */
  readonly consuming: Session;
  /** For their `prepare`: asserts the topology, once for all that use this connection. */
  readonly prepare: TopologyMaintainer['prepare'];
  /** For their `onEvent`. */
  readonly reporterOf: (purpose: 'publish' | 'consume') => (event: SessionEvent) => void;
}

/**
 * Opens the low-level parts to a shared connection, such as a consumer of a dead-letter queue. They are closed before it.
 * @throws TypeError if `createConnection` did not return the connection.
 */
export function partsOf(connection: Connection, declaration: Declaration): ConnectionParts {
  if (!(connection instanceof SharedConnection))
    throw new TypeError('connection must be what createConnection returned');
  return {
    publishing: connection.publishing,
    consuming: connection.consuming,
    prepare: connection.maintainerOf(declaration, 'create').prepare,
    reporterOf: (purpose) => connection.reporterOf(purpose),
  };
}

/**
 * Opens a publisher or a worker on the connection that was given, or on one of its own.
 * @param open gets the connection, and what closes it with the publisher or worker where it is its own.
 * @throws ConnectError; TypeError if the connection is none; what `open` throws.
 */
export async function openOn<Opened>(
  connection: Connection | string,
  open: (shared: SharedConnection, close: () => Promise<void>) => Promise<Opened>,
  stop: (opened: Opened) => Promise<unknown>,
): Promise<Opened> {
  if (typeof connection !== 'string') {
    if (!(connection instanceof SharedConnection))
      throw new TypeError('connection must be a URL or what createConnection returned');
    return await connection.opening(() => open(connection, () => Promise.resolve()), stop);
  }
  const own = await openShared({ url: connection });
  const close = async () => {
    await own.close();
  };
  try {
    return await own.opening(() => open(own, close), stop);
  } catch (error) {
    await close();
    throw error;
  }
}

/** A program in JavaScript may misspell an option, which would silently have its default. @throws TypeError */
export function refuseUnknown(what: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new TypeError(`${what}: unknown option ${unknown.join(', ')}; known: ${known.join(', ')}`);
}

/** A timer of Node with more milliseconds fires at once. */
const MOST_TIMER_MS = 2 ** 31 - 1;

/** @throws TypeError if it is no duration from 0 to 24.8 days. */
export function durationMs(name: string, duration: Duration): number {
  const ms = parseDurationMs(duration);
  if (ms === undefined || !(ms >= 0))
    throw new TypeError(`${name} must be a duration such as '10s', not '${String(duration)}'`);
  if (ms > MOST_TIMER_MS)
    throw new TypeError(`${name} must be at most 24 days, not '${String(duration)}'`);
  return ms;
}

/** As `durationMs`; Infinity is no bound. */
export function boundMs(name: string, duration: Duration): number {
  return duration === Infinity ? Infinity : durationMs(name, duration);
}

function requireAmqpUrl(url: string): void {
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  if (protocol !== 'amqp:' && protocol !== 'amqps:')
    throw new TypeError(`url must begin with amqp:// or amqps://, not '${withoutPassword(url)}'`);
}

function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return url.replace(/\/\/.*@/, '//');
  const parsed = new URL(url);
  parsed.password = '';
  return parsed.href;
}

function connectErrorOf(error: unknown): unknown {
  if (!(error instanceof TopologyError)) return error;
  const [first] = error.faults;
  const text = first?.remedy ?? error.message;
  const where = first?.subject ?? '';
  switch (first?.code) {
    case 'LOGIN_REFUSED':
    case 'VHOST_MISSING':
    case 'TLS_FAILED':
      return new ConnectError(first.code, where, text, error);
    default: {
      const hasAnswer = !text.includes('ETIMEDOUT');
      return new ConnectError(hasAnswer ? 'UNREACHABLE' : 'TIMEOUT', where, text, error);
    }
  }
}

/** @returns the name in the package.json that is nearest to the program, or 'topology'. */
function programName(): string {
  let folder = dirname(process.argv[1] ?? process.cwd());
  for (;;) {
    try {
      const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        name?: unknown;
      };
      if (typeof name === 'string') return name;
    } catch {
      // None here: the folder above may have one.
    }
    if (dirname(folder) === folder) return 'topology';
    folder = dirname(folder);
  }
}

function present(session: Session | undefined): Session {
  if (session === undefined) throw new Error('the connection is not open');
  return session;
}

function ignore(): void {
  // For a logger that is switched off.
}
