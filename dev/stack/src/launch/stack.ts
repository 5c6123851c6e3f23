/** What a launcher or a test can do with a running stack. */
import type { ServiceName } from '../service/serviceDefinition.ts';
import type { StackError } from '../stackError.ts';
import type { ServiceState, StackUrls } from './stackState.ts';

/** @param how 'SIGKILL' or 'code 3'. */
export type ExitListener = (service: ServiceName, lastLogLines: string, how: string) => void;

/** Programs that die are started again; without these options a death is only told. */
export interface RestartOptions {
  /** Told where a program did not become ready in five starts in a row; it is not started any more. */
  readonly onGiveUp: (error: StackError) => void;
}

export interface Stack extends StackUrls {
  /** Services that run, in starting order. */
  readonly services: readonly ServiceState[];
  /**
   * Signals a service, default SIGKILL to all its processes; resolves when it is gone. SIGSTOP and
   * SIGCONT freeze and thaw it and resolve at once.
   */
  kill(name: ServiceName, signal?: NodeJS.Signals): Promise<void>;
  /**
   * Starts a service again on the same data and ports, stopping it first when it runs; resolves
   * when ready.
   */
  restart(name: ServiceName): Promise<void>;
  /**
   * Runs rabbitmqctl on this stack's broker.
   * @returns its standard output.
   * @throws StackError `COMMAND_FAILED` with its output.
   */
  rabbitmqctl(args: readonly string[]): Promise<string>;
  /** Stops all in reverse order. With `purge` all are killed and the folder is removed. */
  stop(options?: { readonly purge?: boolean }): Promise<void>;
  /** Called when a service exits that nobody stopped or killed, with the end of its log. */
  onUnexpectedExit(listener: ExitListener): void;
}
