/**
 * Processes of a benchmark's own, so that what is measured has its own processor time and its own event loop, as the services of
 * FIT have. The benchmark sends commands and gets a reply to each.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

const STOP_GRACE_MS = 10_000;
/** Longer than any run of a process takes: a lost job would else never end the benchmark. */
const REPLY_DEADLINE_MS = 900_000;

interface Request {
  readonly id: number;
  readonly command: string;
  readonly argument: unknown;
}

interface Reply {
  /** 0: the process accepts commands. */
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

export class BenchProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (reply.error === undefined) waiting?.resolve(reply.result);
      else waiting?.reject(new Error(reply.error));
    });
    child.once('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`a process of the benchmark ended (${String(signal ?? code)})`));
    });
  }

  /**
   * @param file calls `serveCommands`.
   * @param args reach the file as the words after its name.
   */
  static async start(file: string, args: readonly string[]): Promise<BenchProcess> {
    // Its output joins the progress: standard output is the report's alone.
    const child = fork(file, args, { execArgv: [], stdio: ['ignore', 2, 2, 'ipc'] });
    const process = new BenchProcess(child);
    await process.#expect(0);
    return process;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** @throws Error with the message of the command's error, or if there is no reply within 15 minutes. */
  async ask(command: string, argument: unknown = {}): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    const reply = this.#expect(id);
    const timer = setTimeout(() => {
      const seconds = REPLY_DEADLINE_MS / 1_000;
      this.#waiting.get(id)?.reject(new Error(`no reply to '${command}' within ${seconds} s`));
    }, REPLY_DEADLINE_MS);
    const request: Request = { id, command, argument };
    this.#child.send(request);
    try {
      return await reply;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks the process to end by closing its channel, and kills it if it does not. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_GRACE_MS);
    if (this.#child.connected) this.#child.disconnect();
    await exited;
    clearTimeout(timer);
  }

  async #expect(id: number): Promise<unknown> {
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    return await waiting.promise;
  }
}

export type Commands = Readonly<Record<string, (argument: never) => Promise<unknown>>>;

/**
 * Serves the commands of the parent process, and ends this process when the parent closes the channel or ends.
 * @param close is awaited before this process ends.
 */
export function serveCommands(commands: Commands, close: () => Promise<void>): void {
  const send = (reply: Reply) => process.send?.(reply);
  process.on('message', ({ id, command, argument }: Request) => {
    void Promise.resolve(commands[command]?.(argument as never)).then(
      (result) => send({ id, result }),
      (error: unknown) =>
        send({
          id,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        }),
    );
  });
  process.once('disconnect', () => {
    void close().finally(() => process.exit());
  });
  send({ id: 0 });
}
