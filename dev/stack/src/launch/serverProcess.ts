/** One server of a running stack: it can be started, stopped, killed, and started again on the same data and ports. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type HeldNamespace,
  holdNamespace,
  killAll,
  processesIn,
  sendSignal,
} from '../process/processTable.ts';
import {
  type Child,
  type ChildExit,
  describeUnexpectedExit,
  START_MARK,
  startChild,
} from '../process/startChild.ts';
import { enterRoot, ROOT_ENVIRONMENT, type RootEntry } from '../root/enterRoot.ts';
import type { ServerDefinition } from '../servers/serverDefinition.ts';
import { messageOf } from '../stackError.ts';

export interface ServerProcessOptions {
  readonly definition: ServerDefinition;
  readonly entry: RootEntry;
  readonly onProgress: ((line: string) => void) | undefined;
  /** Called with a report for people when the server exits without having been stopped or killed here. */
  readonly onUnexpectedExit: (report: string) => void;
}

export class ServerProcess {
  readonly definition: ServerDefinition;
  readonly logPath: string;
  readonly #options: ServerProcessOptions;
  #child: Child | undefined;
  /** Held until no process runs in it any more, so that its id is not reused. */
  #namespace: HeldNamespace | undefined;
  #killing: Promise<void> | undefined;

  constructor(options: ServerProcessOptions) {
    this.#options = options;
    this.definition = options.definition;
    this.logPath = join(options.entry.mounts.stack, 'logs', `${options.definition.name}.log`);
  }

  /** Process id of the server; 0 while it does not run or is not ready yet. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /**
   * Starts the server and waits until it answers.
   * @throws StackError `SERVER_NOT_READY`, `SERVER_DIED`; the reason of the signal if it was aborted. No process of
   * the server runs then, or a line of progress names it. `PROCESSES_LEFT` if a process of its former run still
   * exists; nothing was started then.
   */
  async start(signal?: AbortSignal): Promise<void> {
    const { definition, entry, onProgress } = this.#options;
    await this.#killLeft();
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
          // Held before the server is ready, so that one that dies before leaves no process either.
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
      await this.#killLeftAndLog();
      throw error;
    }
  }

  /**
   * Sends the server's stop signal; no process of the server is left afterwards.
   * @throws StackError `PROCESSES_LEFT`.
   */
  async stop(): Promise<void> {
    const child = this.#forget();
    await child?.stop();
    await this.#killLeft();
  }

  /**
   * Signals the server: SIGKILL, SIGSTOP and SIGCONT all of its processes, other signals its main process. Resolves when
   * all of its processes are gone, after SIGSTOP and SIGCONT at once.
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
    await this.#killLeft();
  }

  /** Makes the exit of the child expected. */
  #forget(): Child | undefined {
    const child = this.#child;
    this.#child = undefined;
    return child;
  }

  #members(): number[] {
    return this.#namespace === undefined ? [] : processesIn(this.#namespace.id);
  }

  /** Kills what is left of the server. Processes that cannot be killed stay in the held namespace; the next start tries again. */
  async #killLeft(): Promise<void> {
    this.#killing ??= this.#killNamespace().finally(() => (this.#killing = undefined));
    await this.#killing;
  }

  async #killNamespace(): Promise<void> {
    const namespace = this.#namespace;
    if (namespace === undefined) return;
    await killAll(() => processesIn(namespace.id));
    this.#namespace = undefined;
    namespace.release();
  }

  /** As `#killLeft`, but a failure is only logged, because another error is reported to the caller. */
  async #killLeftAndLog(): Promise<void> {
    try {
      await this.#killLeft();
    } catch (error) {
      const { definition, onProgress } = this.#options;
      onProgress?.(`${definition.name}: ${messageOf(error)}`);
    }
  }

  async #exited(child: Child, exit: ChildExit): Promise<void> {
    if (this.#child !== child) return;
    this.#forget();
    await this.#killLeftAndLog();
    const { definition, onUnexpectedExit } = this.#options;
    onUnexpectedExit(await describeUnexpectedExit(definition.name, exit, this.logPath));
  }
}
