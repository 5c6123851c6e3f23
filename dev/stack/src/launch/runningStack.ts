/** A running stack: its servers, and what launchers and tests can do with them. */
import { rm } from 'node:fs/promises';
import type { Lock } from '../process/holdLock.ts';
import { killProcessesOnFolder } from '../process/processTable.ts';
import { mustRun } from '../process/runCommand.ts';
import { waitUntil } from '../process/waitUntil.ts';
import type { EntryMode } from '../root/checkHost.ts';
import { enterRoot, ROOT_ENVIRONMENT, type RootEntry } from '../root/enterRoot.ts';
import { psqlCommand } from '../servers/postgresql.ts';
import { brokerEnvironment } from '../servers/rabbitmq.ts';
import type { ServerDefinition, ServerName, StackSettings } from '../servers/serverDefinition.ts';
import { messageOf, StackError, unsupportedHost } from '../stackError.ts';
import { Restarter } from './restarter.ts';
import { ServerProcess } from './serverProcess.ts';
import {
  removeState,
  type ServerState,
  type StackUrls,
  withoutLogin,
  writeState,
} from './stackFolder.ts';

/** Makes programs that die start again; without these options a death is only reported. */
export interface RestartOptions {
  /** Called when a program has failed to start five times in a row and is not started any more. */
  readonly onGiveUp: (error: StackError) => void;
}

export interface Stack extends StackUrls {
  /** Servers that run, in starting order. */
  readonly servers: readonly ServerState[];
  /**
   * Signals a server, by default SIGKILL to all of its processes; resolves when it is gone. SIGSTOP and SIGCONT pause and
   * resume it and resolve at once.
   */
  kill(name: ServerName, signal?: NodeJS.Signals): Promise<void>;
  /** Starts a server again on the same data and ports, after stopping it if it runs; resolves when it is ready. */
  restart(name: ServerName): Promise<void>;
  /**
   * Runs rabbitmqctl on this stack's broker.
   * @returns its standard output.
   * @throws StackError `COMMAND_FAILED` with its output.
   */
  rabbitmqctl(args: readonly string[]): Promise<string>;
  /**
   * Runs SQL statements on this stack's database, all of them in one transaction.
   * @returns the rows, one a line, with `|` between columns.
   * @throws StackError `COMMAND_FAILED` with the error of the statement that failed.
   */
  psql(statements: string): Promise<string>;
  /**
   * The words of a command that any process of this user may run: SQL statements from its standard input, on this stack's
   * database. Undefined if the stack started no PostgreSQL.
   */
  readonly psqlSession: readonly string[] | undefined;
  /** Stops all in reverse order. With `purge` all are killed and the folder is removed. */
  stop(options?: { readonly purge?: boolean }): Promise<void>;
}

/** What the servers run from, all in the cache. */
export interface Roots {
  readonly mode: EntryMode;
  /** The root folder that a server runs in. */
  readonly rootOf: (server: ServerName) => string;
  /** Folder of the gateway's executable; undefined if no gateway is started. */
  readonly gateway: string | undefined;
  /** Undefined if no PostgreSQL is started. */
  readonly databaseTemplate: string | undefined;
}

export interface StackParts {
  readonly settings: StackSettings;
  readonly definitions: readonly ServerDefinition[];
  /** Undefined when no server is started. */
  readonly roots: Roots | undefined;
  readonly urls: StackUrls;
  readonly lock: Lock;
  /** Undefined: a server that dies is not started again. */
  readonly restarts: RestartOptions | undefined;
  /** Aborted while the servers start: the start ends early. */
  readonly signal: AbortSignal | undefined;
}

/** Bounds the wait for the server that another one needs, before that one is started again. */
const DEPENDENCY_DEADLINE_MS = 600_000;

export class RunningStack implements Stack {
  readonly amqpUrl: string;
  readonly managementUrl: string | undefined;
  readonly mongodbUrl: string;
  readonly prometheusUrl: string | undefined;
  readonly alertmanagerUrl: string | undefined;
  readonly brokerMetricsUrl: string | undefined;
  readonly #parts: StackParts;
  readonly #onProgress: ((line: string) => void) | undefined;
  readonly #processes: readonly ServerProcess[];
  readonly #restarters = new Map<ServerName, Restarter>();
  #isReady = false;
  #stopping: Promise<void> | undefined;

  constructor(parts: StackParts, onProgress: ((line: string) => void) | undefined) {
    const { urls } = parts;
    this.amqpUrl = urls.amqpUrl;
    this.managementUrl = urls.managementUrl;
    this.mongodbUrl = urls.mongodbUrl;
    this.prometheusUrl = urls.prometheusUrl;
    this.alertmanagerUrl = urls.alertmanagerUrl;
    this.brokerMetricsUrl = urls.brokerMetricsUrl;
    this.#parts = parts;
    this.#onProgress = onProgress;
    this.#processes = parts.definitions.map((definition) => this.#processOf(definition));
  }

  get servers(): readonly ServerState[] {
    return this.#processes
      .filter(({ pid }) => pid !== 0)
      .map(({ definition: { name, url }, pid, logPath }) => ({ name, pid, url, logPath }));
  }

  /** Starts all servers in parallel, each after the one that it needs. When one fails, all are stopped. */
  async startAll(): Promise<void> {
    const { signal } = this.#parts;
    const started = new Map<ServerName, Promise<void>>();
    for (const server of this.#processes) {
      const { name, startsAfter } = server.definition;
      const before = startsAfter === undefined ? undefined : started.get(startsAfter);
      const starting = Promise.resolve(before).then(() => server.start(signal));
      started.set(name, starting);
    }
    const results = await Promise.allSettled(started.values());
    const failure = results.find((result) => result.status === 'rejected');
    if (failure === undefined && signal?.aborted !== true) {
      this.#isReady = true;
      this.#recordState();
      return;
    }
    await this.stop().catch((stopError: unknown) => {
      // The error about processes that still run is thrown, so the first failure is logged, or it would be lost.
      if (failure !== undefined) this.#onProgress?.(messageOf(failure.reason));
      throw stopError;
    });
    signal?.throwIfAborted();
    throw failure?.reason;
  }

  async kill(name: ServerName, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#find(name).kill(signal);
    this.#recordState();
  }

  async restart(name: ServerName): Promise<void> {
    const server = this.#find(name);
    await server.stop();
    await server.start();
    this.#recordState();
  }

  async rabbitmqctl(args: readonly string[]): Promise<string> {
    const { definition } = this.#find('rabbitmq');
    const command = ['/usr/lib/rabbitmq/bin/rabbitmqctl', ...args];
    const env = { ...ROOT_ENVIRONMENT, ...brokerEnvironment(this.#parts.settings) };
    const { stdout } = await mustRun(enterRoot(this.#entry(definition), command), { env });
    return stdout;
  }

  async psql(statements: string): Promise<string> {
    const { definition } = this.#find('postgresql');
    const command = psqlCommand(statements);
    const env = { ...ROOT_ENVIRONMENT, ...definition.environment };
    const { stdout } = await mustRun(enterRoot(this.#entry(definition), command), { env });
    return stdout;
  }

  get psqlSession(): readonly string[] | undefined {
    const found = this.#parts.definitions.find(({ name }) => name === 'postgresql');
    return found && enterRoot(this.#entry(found), psqlCommand());
  }

  async stop(options: { readonly purge?: boolean } = {}): Promise<void> {
    this.#stopping ??= this.#stopAll(options.purge === true);
    await this.#stopping;
  }

  async #stopAll(purge: boolean): Promise<void> {
    const { folder } = this.#parts.settings;
    await Promise.all([...this.#restarters.values()].map((restarter) => restarter.stop()));
    try {
      // A server that leaves processes does not keep the others from being stopped; the kill on the folder names all of them.
      if (purge) {
        await Promise.allSettled(this.#processes.map((server) => server.kill('SIGKILL')));
      } else {
        for (const server of this.#processes.toReversed()) await this.#stopServer(server);
      }
      await killProcessesOnFolder(folder);
      removeState(folder);
      if (purge) await rm(folder, { recursive: true, force: true });
    } finally {
      this.#parts.lock.release();
    }
  }

  async #stopServer(server: ServerProcess): Promise<void> {
    const { name } = server.definition;
    if (server.pid === 0) return;
    try {
      await server.stop();
      this.#onProgress?.(`${name} stopped`);
    } catch (error) {
      this.#onProgress?.(`${name}: ${messageOf(error)}`);
    }
  }

  #processOf(definition: ServerDefinition): ServerProcess {
    const server = new ServerProcess({
      definition,
      entry: this.#entry(definition),
      onProgress: this.#onProgress,
      onUnexpectedExit: (report) => {
        if (this.#stopping !== undefined) return;
        this.#recordState();
        this.#onProgress?.(report);
        this.#restarters.get(definition.name)?.restartInBackground();
      },
    });
    const { restarts } = this.#parts;
    if (restarts !== undefined) {
      const restarter = new Restarter({
        name: definition.name,
        start: (signal) => this.#startAgain(server, signal),
        onProgress: this.#onProgress,
        onGiveUp: restarts.onGiveUp,
      });
      this.#restarters.set(definition.name, restarter);
    }
    return server;
  }

  /** Waits first for the server that this one needs: starting without it would count as a failed start. */
  async #startAgain(server: ServerProcess, signal: AbortSignal): Promise<void> {
    const { startsAfter } = server.definition;
    if (startsAfter !== undefined) {
      const dependency = this.#find(startsAfter);
      await waitUntil(() => dependency.pid !== 0, { deadlineMs: DEPENDENCY_DEADLINE_MS, signal });
    }
    await server.start(signal);
    this.#recordState();
  }

  #entry(definition: ServerDefinition): RootEntry {
    const { roots, settings } = this.#parts;
    if (roots === undefined) throw unsupportedHost(`${definition.name} has no root folder`);
    const { gateway } = roots;
    const withGateway = definition.name === 'gateway' && gateway !== undefined;
    const mounts = withGateway ? { stack: settings.folder, gateway } : { stack: settings.folder };
    return { root: roots.rootOf(definition.name), mode: roots.mode, mounts, user: 'server' };
  }

  #recordState(): void {
    const { settings, urls } = this.#parts;
    writeState(settings.folder, {
      name: settings.name,
      urls: this.#isReady ? withoutLogins(urls) : undefined,
      servers: this.servers,
    });
  }

  #find(name: ServerName): ServerProcess {
    const found = this.#processes.find(({ definition }) => definition.name === name);
    if (found === undefined) throw new StackError('SERVER_UNKNOWN', `this stack has no ${name}`);
    return found;
  }
}

function withoutLogins(urls: StackUrls): StackUrls {
  const optional = (url: string | undefined): string | undefined =>
    url === undefined ? undefined : withoutLogin(url);
  return {
    amqpUrl: withoutLogin(urls.amqpUrl),
    managementUrl: optional(urls.managementUrl),
    mongodbUrl: withoutLogin(urls.mongodbUrl),
    prometheusUrl: optional(urls.prometheusUrl),
    alertmanagerUrl: optional(urls.alertmanagerUrl),
    brokerMetricsUrl: optional(urls.brokerMetricsUrl),
  };
}
