/** A stack that runs: its services, and the operations tests and launchers need on them. */
import { rm } from 'node:fs/promises';
import type { Lock } from '../process/holdLock.ts';
import { mustRun } from '../process/runCommand.ts';
import { enterRoot, ROOT_ENVIRONMENT, type RootEntry } from '../root/enterRoot.ts';
import { brokerEnvironment } from '../service/rabbitmq.ts';
import type { ServiceDefinition, ServiceName, StackPlace } from '../service/serviceDefinition.ts';
import { StackError, unsupportedHost } from '../stackError.ts';
import type { Roots } from './prepareRoots.ts';
import { ServiceProcess } from './serviceProcess.ts';
import type { ExitListener, Stack } from './stack.ts';
import { removeState, type ServiceState, type StackUrls, writeState } from './stackState.ts';
import { sweepFolder } from './sweepFolder.ts';

export interface StackParts {
  readonly place: StackPlace;
  readonly definitions: readonly ServiceDefinition[];
  /** Undefined when no service is started. */
  readonly roots: Roots | undefined;
  readonly urls: StackUrls;
  readonly lock: Lock;
}

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
    const started = new Map<ServiceName, Promise<void>>();
    for (const service of this.#processes) {
      const { name, after } = service.definition;
      const before = after === undefined ? undefined : started.get(after);
      const starting = Promise.resolve(before).then(() => service.start());
      started.set(name, starting);
    }
    const results = await Promise.allSettled(started.values());
    const failure = results.find((result) => result.status === 'rejected');
    if (failure === undefined) {
      this.#recordState();
      return;
    }
    await this.stop();
    throw failure.reason;
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
    if (purge) {
      await Promise.all(this.#processes.map((service) => service.kill('SIGKILL')));
    } else {
      for (const service of this.#processes.toReversed()) {
        if (service.pid === 0) continue;
        await service.stop();
        this.#onProgress?.(`${service.definition.name} stopped`);
      }
    }
    await sweepFolder(folder);
    removeState(folder);
    if (purge) await rm(folder, { recursive: true, force: true });
    this.#parts.lock.release();
  }

  #processOf(definition: ServiceDefinition): ServiceProcess {
    return new ServiceProcess({
      definition,
      entry: this.#entry(definition),
      onProgress: this.#onProgress,
      onUnexpectedExit: (lastLogLines) => {
        this.#report(definition.name, lastLogLines);
      },
    });
  }

  #entry(definition: ServiceDefinition): RootEntry {
    const { roots, place } = this.#parts;
    if (roots === undefined) throw unsupportedHost(`${definition.name} has no root folder`);
    const { gateway } = roots;
    const withGateway = definition.name === 'gateway' && gateway !== undefined;
    const mounts = withGateway ? { stack: place.folder, gateway } : { stack: place.folder };
    return { root: roots.rootOf(definition.name), mode: roots.mode, mounts, user: 'service' };
  }

  #report(service: ServiceName, lastLogLines: string): void {
    if (this.#stopping !== undefined) return;
    this.#recordState();
    this.#onProgress?.(`${service} ended unexpectedly. Last lines of its log:\n${lastLogLines}`);
    for (const listener of this.#exitListeners) listener(service, lastLogLines);
  }

  #recordState(): void {
    const { place, urls } = this.#parts;
    writeState(place.folder, { name: place.name, urls, services: this.services });
  }

  #find(name: ServiceName): ServiceProcess {
    const found = this.#processes.find(({ definition }) => definition.name === name);
    if (found === undefined) throw new StackError('SERVICE_UNKNOWN', `this stack has no ${name}`);
    return found;
  }
}
