/** One service of a running stack: started, killed, started again on the same data and ports. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { logTail, START_MARK } from '../process/logTail.ts';
import {
  type HeldNamespace,
  holdNamespace,
  processesIn,
  sendSignal,
} from '../process/processTable.ts';
import { type Child, type ChildExit, startChild } from '../process/startChild.ts';
import { enterRoot, ROOT_ENVIRONMENT, type RootEntry } from '../root/enterRoot.ts';
import type { ServiceDefinition } from '../service/serviceDefinition.ts';
import { sweepNamespace } from './sweepFolder.ts';

export interface ServiceProcessOptions {
  readonly definition: ServiceDefinition;
  readonly entry: RootEntry;
  readonly onProgress: ((line: string) => void) | undefined;
  /** Called with the end of the log when the service exits and nobody asked it to. */
  readonly onUnexpectedExit: (exit: ChildExit, lastLogLines: string) => void;
}

export class ServiceProcess {
  readonly definition: ServiceDefinition;
  readonly logPath: string;
  readonly #options: ServiceProcessOptions;
  #child: Child | undefined;
  /** Held until nothing runs in it. */
  #namespace: HeldNamespace | undefined;
  #sweeping: Promise<void> | undefined;

  constructor(options: ServiceProcessOptions) {
    this.#options = options;
    this.definition = options.definition;
    this.logPath = join(options.entry.mounts.stack, 'logs', `${options.definition.name}.log`);
  }

  /** Process id of the service; 0 while it does not run, or is not ready yet. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /**
   * Starts the service and waits until it answers.
   * @throws StackError `SERVICE_NOT_READY`, `SERVICE_DIED`; the reason of the signal where it was aborted. Nothing of
   * the service runs then, or a line of progress says what. `PROCESSES_LEFT` where something of its former run still
   * does; nothing was started then.
   */
  async start(signal?: AbortSignal): Promise<void> {
    const { definition, entry, onProgress } = this.#options;
    await this.#sweep();
    await definition.prepare();
    mkdirSync(dirname(this.logPath), { recursive: true });
    appendFileSync(this.logPath, `${START_MARK}${new Date().toISOString()}\n`);
    const [command = '', ...args] = enterRoot(entry, definition.command);
    let pid = 0;
    try {
      const child = await startChild({
        name: definition.name,
        command,
        args,
        env: { ...ROOT_ENVIRONMENT, ...definition.environment },
        logPath: this.logPath,
        onSpawn: (spawned) => {
          pid = spawned;
        },
        ready: () => {
          // Known early, so that a service that dies before it is ready leaves nothing either.
          this.#namespace ??= holdNamespace(pid);
          return definition.ready(pid);
        },
        deadlineMs: definition.deadlineMs,
        stopSignal: definition.stopSignal,
        onProgress,
        signal,
      });
      this.#child = child;
      void child.exited.then((exit) => this.#exited(child, exit));
    } catch (error) {
      await this.#sweepOrTell();
      throw error;
    }
  }

  /**
   * Stops the service in its own polite way; nothing of it is left afterwards.
   * @throws StackError `PROCESSES_LEFT`.
   */
  async stop(): Promise<void> {
    const child = this.#forget();
    await child?.stop();
    await this.#sweep();
  }

  /**
   * Signals the service. SIGKILL hits every process of it at once; other signals go to its main
   * process. Resolves when the whole service is gone, except after SIGSTOP and SIGCONT, which
   * freeze and thaw all of it.
   * @throws StackError `PROCESSES_LEFT`.
   */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') {
      for (const pid of this.#members()) sendSignal(pid, signal);
      return;
    }
    const child = this.#forget();
    if (child === undefined) return;
    if (signal === 'SIGKILL') for (const pid of this.#members()) sendSignal(pid, signal);
    sendSignal(child.pid, signal);
    await child.exited;
    await this.#sweep();
  }

  /** From here on the child's exit is expected. */
  #forget(): Child | undefined {
    const child = this.#child;
    this.#child = undefined;
    return child;
  }

  #members(): number[] {
    return this.#namespace === undefined ? [] : processesIn(this.#namespace.id);
  }

  /** What could not be killed stays in the held namespace, and the next start tries again. */
  async #sweep(): Promise<void> {
    this.#sweeping ??= this.#sweepNamespace().finally(() => (this.#sweeping = undefined));
    await this.#sweeping;
  }

  async #sweepNamespace(): Promise<void> {
    const namespace = this.#namespace;
    if (namespace === undefined) return;
    await sweepNamespace(namespace.id);
    this.#namespace = undefined;
    namespace.release();
  }

  /** For where another failure is told already. */
  async #sweepOrTell(): Promise<void> {
    try {
      await this.#sweep();
    } catch (error) {
      const { definition, onProgress } = this.#options;
      onProgress?.(`${definition.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #exited(child: Child, exit: ChildExit): Promise<void> {
    if (this.#child !== child) return;
    this.#forget();
    await this.#sweepOrTell();
    this.#options.onUnexpectedExit(exit, await logTail(this.logPath));
  }
}
