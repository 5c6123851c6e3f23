/** A stack that runs: its services, and the operations tests and launchers need on them. */
import { rm } from 'node:fs/promises';
import type { Lock } from '../process/holdLock.ts';
import { mustRun } from '../process/runCommand.ts';
import { type ChildExit, describeExit } from '../process/startChild.ts';
import { waitUntil } from '../process/waitUntil.ts';
import { enterRoot, ROOT_ENVIRONMENT, type RootEntry } from '../root/enterRoot.ts';
import { brokerEnvironment } from '../service/rabbitmq.ts';
import type { ServiceDefinition, ServiceName, StackPlace } from '../service/serviceDefinition.ts';
import { StackError, unsupportedHost } from '../stackError.ts';
import type { Roots } from './prepareRoots.ts';
import { Restarter } from './restarter.ts';
import { ServiceProcess } from './serviceProcess.ts';
import type { ExitListener, RestartOptions, Stack } from './stack.ts';
import { removeState, type ServiceState, type StackUrls, writeState } from './stackState.ts';
import { sweepFolder } from './sweepFolder.ts';
import { withoutLogins } from './withoutLogin.ts';

export interface StackParts {
  readonly place: StackPlace;
  readonly definitions: readonly ServiceDefinition[];
  /** Undefined when no service is started. */
  readonly roots: Roots | undefined;
  readonly urls: StackUrls;
  readonly lock: Lock;
  /** Undefined: a service that dies is not started again. */
  readonly restarts: RestartOptions | undefined;
  /** Aborted while the services start: the start ends early. */
  readonly signal: AbortSignal | undefined;
}

/** A service waits so long for the one that it needs, before it is started again. */
const NEEDED_DEADLINE_MS = 600_000;

export class RunningStack implements Stack {
  readonly amqpUrl: string;
  readonly managementUrl: string | undefined;
  readonly mongodbUrl: string;
  readonly prometheusUrl: string | undefined;
  readonly alertmanagerUrl: string | undefined;
  readonly brokerMetricsUrl: string | undefined;
  readonly #parts: StackParts;
  readonly #onProgress: ((line: string) => void) | undefined;
  readonly #processes: readonly ServiceProcess[];
  readonly #exitListeners: ExitListener[] = [];
  readonly #stopped = new AbortController();
  readonly #restarters = new Map<ServiceName, Restarter>();
  readonly #restarting = new Set<Promise<void>>();
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

  get services(): readonly ServiceState[] {
    return this.#processes
      .filter(({ pid }) => pid !== 0)
      .map(({ definition: { name, url }, pid, logPath }) => ({ name, pid, url, logPath }));
  }

  /** Starts all services side by side, each after the one it needs; all or nothing. */
  async startAll(): Promise<void> {
    const { signal } = this.#parts;
    const started = new Map<ServiceName, Promise<void>>();
    for (const service of this.#processes) {
      const { name, after } = service.definition;
      const before = after === undefined ? undefined : started.get(after);
      const starting = Promise.resolve(before).then(() => service.start(signal));
      started.set(name, starting);
    }
    const results = await Promise.allSettled(started.values());
    const failure = results.find((result) => result.status === 'rejected');
    if (failure === undefined && signal?.aborted !== true) {
      this.#isReady = true;
      this.#recordState();
      return;
    }
    await this.stop().catch((left: unknown) => {
      // What is still running matters more; the first failure must not be lost.
      if (failure !== undefined) this.#onProgress?.(describe(failure.reason));
      throw left;
    });
    signal?.throwIfAborted();
    throw failure?.reason;
  }

  async kill(name: ServiceName, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#find(name).kill(signal);
    this.#recordState();
  }

  async restart(name: ServiceName): Promise<void> {
    const service = this.#find(name);
    await service.stop();
    await service.start();
    this.#recordState();
  }

  async rabbitmqctl(args: readonly string[]): Promise<string> {
    const { definition } = this.#find('rabbitmq');
    const command = ['/usr/lib/rabbitmq/bin/rabbitmqctl', ...args];
    const env = { ...ROOT_ENVIRONMENT, ...brokerEnvironment(this.#parts.place) };
    const { stdout } = await mustRun(enterRoot(this.#entry(definition), command), { env });
    return stdout;
  }

  async stop(options: { readonly purge?: boolean } = {}): Promise<void> {
    this.#stopping ??= this.#stopAll(options.purge === true);
    await this.#stopping;
  }

  onUnexpectedExit(listener: ExitListener): void {
    this.#exitListeners.push(listener);
  }

  async #stopAll(purge: boolean): Promise<void> {
    const { folder } = this.#parts.place;
    this.#stopped.abort();
    await Promise.all(this.#restarting);
    try {
      // Whatever one of them leaves, the others are stopped too; the sweep of the folder names all that is left.
      if (purge) {
        await Promise.allSettled(this.#processes.map((service) => service.kill('SIGKILL')));
      } else {
        for (const service of this.#processes.toReversed()) await this.#stopService(service);
      }
      await sweepFolder(folder);
      removeState(folder);
      if (purge) await rm(folder, { recursive: true, force: true });
    } finally {
      this.#parts.lock.release();
    }
  }

  async #stopService(service: ServiceProcess): Promise<void> {
    const { name } = service.definition;
    if (service.pid === 0) return;
    try {
      await service.stop();
      this.#onProgress?.(`${name} stopped`);
    } catch (error) {
      this.#onProgress?.(`${name}: ${describe(error)}`);
    }
  }

  #processOf(definition: ServiceDefinition): ServiceProcess {
    const service = new ServiceProcess({
      definition,
      entry: this.#entry(definition),
      onProgress: this.#onProgress,
      onUnexpectedExit: (exit, lastLogLines) => {
        this.#report(definition.name, exit, lastLogLines);
      },
    });
    const { restarts } = this.#parts;
    if (restarts !== undefined) {
      const restarter = new Restarter({
        name: definition.name,
        start: () => this.#startAgain(service),
        signal: this.#stopped.signal,
        onProgress: this.#onProgress,
        onGiveUp: restarts.onGiveUp,
      });
      this.#restarters.set(definition.name, restarter);
    }
    return service;
  }

  /** One that cannot live without another waits for it; that is no failed start. */
  async #startAgain(service: ServiceProcess): Promise<void> {
    const { signal } = this.#stopped;
    const { after } = service.definition;
    if (after !== undefined) {
      const needed = this.#find(after);
      await waitUntil(() => needed.pid !== 0, { deadlineMs: NEEDED_DEADLINE_MS, signal });
    }
    await service.start(signal);
    this.#recordState();
  }

  #entry(definition: ServiceDefinition): RootEntry {
    const { roots, place } = this.#parts;
    if (roots === undefined) throw unsupportedHost(`${definition.name} has no root folder`);
    const { gateway } = roots;
    const withGateway = definition.name === 'gateway' && gateway !== undefined;
    const mounts = withGateway ? { stack: place.folder, gateway } : { stack: place.folder };
    return { root: roots.rootOf(definition.name), mode: roots.mode, mounts, user: 'service' };
  }

  #report(name: ServiceName, exit: ChildExit, lastLogLines: string): void {
    if (this.#stopping !== undefined) return;
    this.#recordState();
    const how = describeExit(exit);
    this.#onProgress?.(
      `${name} ended unexpectedly (${how}). Last lines of its log:\n${lastLogLines}`,
    );
    for (const listener of this.#exitListeners) listener(name, lastLogLines, how);
    const restarting = this.#restarters.get(name)?.restart();
    if (restarting === undefined) return;
    this.#restarting.add(restarting);
    void restarting.then(() => this.#restarting.delete(restarting));
  }

  #recordState(): void {
    const { place, urls } = this.#parts;
    writeState(place.folder, {
      name: place.name,
      urls: this.#isReady ? withoutLogins(urls) : undefined,
      services: this.services,
    });
  }

  #find(name: ServiceName): ServiceProcess {
    const found = this.#processes.find(({ definition }) => definition.name === name);
    if (found === undefined) throw new StackError('SERVICE_UNKNOWN', `this stack has no ${name}`);
    return found;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
