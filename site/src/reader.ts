/** Does what a page tells its reader to do, on the broker of a test: in this repository, or where the packages are installed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, type Teardown, type TestBroker } from '@fit/stack/testing';
import { isPrinted, type ShellStep } from './codeBlocks.ts';
import { REPOSITORY } from './repository.ts';

/** A program of the reader, and all that it has printed. */
interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
  output: string;
}

/** What a step in the background must have printed at the end of the page, since it runs while the reader goes on. */
interface Expectation {
  readonly at: string;
  readonly running: Running;
  readonly printed: readonly string[];
}

/** Far longer than the waits of any page: a busy machine starts programs slowly. */
const PRINT_DEADLINE_MS = 60_000;

/** Where a reader works. */
export interface ReaderOptions {
  /** Where files of the page are saved and commands run. */
  readonly folder: string;
  /** Environment of the commands; default that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Takes the place of `npx topology`; default the command of this repository. */
  readonly topologyCommand?: string;
}

/** A reader has RabbitMQ at the default address; a test has not. */
export class Reader {
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #topologyCommand: string;
  readonly #broker: TestBroker;
  readonly #running = new Set<Running>();
  #background: Expectation | undefined;

  constructor(teardown: Teardown, broker: TestBroker, options: ReaderOptions) {
    this.#broker = broker;
    this.#folder = options.folder;
    this.#env = options.env ?? process.env;
    this.#topologyCommand =
      options.topologyCommand ?? `node ${join(REPOSITORY, 'topology-cli/src/main.ts')}`;
    teardown.after(async () => {
      for (const { process, ended } of this.#running) {
        killGroup(process, 'SIGKILL');
        await ended;
      }
    });
  }

  /** Saves a file of the page. */
  async save(name: string, code: string): Promise<void> {
    await writeFile(join(this.#folder, name), this.#atTheBroker(code));
  }

  /** Runs TypeScript as if it stood in a file of the folder. */
  async runCode(code: string): Promise<{ readonly code: number | null; readonly output: string }> {
    const running = this.#start(process.execPath, ['--input-type=module-typescript', '-']);
    running.process.stdin?.end(this.#atTheBroker(code));
    await running.ended;
    return { code: running.process.exitCode, output: running.output };
  }

  /** @param at page and line, for messages. */
  async perform(at: string, { commands, isBackground, printed }: ShellStep): Promise<void> {
    if (isBackground) {
      await this.finish();
      // Without a shell of its own, which would end by the same Ctrl-C before the program does.
      const command = `exec env ${commands.join('\n')}`;
      const running = this.#start('sh', ['-c', this.#atTheBroker(command)]);
      this.#background = { at, running, printed };
      // The page goes on when the program is there; its first line says so.
      await expectPrinted({ at, running, printed: printed.slice(0, 1) });
      return;
    }
    for (const command of commands) await this.#performCommand(at, command, printed);
    // The next step is about what this one set off.
    if (this.#background !== undefined) await expectPrinted(this.#background);
  }

  /** A command that shows something shows it a moment later if what it shows is on its way: it is repeated until then. */
  async #performCommand(at: string, command: string, printed: readonly string[]): Promise<void> {
    const end = Date.now() + PRINT_DEADLINE_MS;
    let output: string;
    do {
      const running = this.#start('sh', ['-c', this.#atTheBroker(command)]);
      await running.ended;
      output = running.output;
      const { exitCode } = running.process;
      assert.equal(exitCode, 0, `${at}: '${command}' ended with ${exitCode}\n${output}`);
    } while (!printed.every((line) => isPrinted(output, line)) && Date.now() < end);
    const missing = printed.filter((line) => !isPrinted(output, line));
    assert.deepEqual(missing, [], `${at}: not printed; printed was\n${output}`);
  }

  /** Presses Ctrl-C for the program in the background, which ends by itself. */
  async finish(): Promise<void> {
    if (this.#background === undefined) return;
    const { at, running } = this.#background;
    await expectPrinted(this.#background);
    this.#background = undefined;
    killGroup(running.process, 'SIGINT');
    await running.ended;
    const { exitCode, signalCode } = running.process;
    assert.equal(exitCode, 0, `${at}: ended with ${exitCode ?? signalCode}\n${running.output}`);
  }

  #start(program: string, args: readonly string[]): Running {
    const child = spawn(program, args, {
      cwd: this.#folder,
      detached: true,
      env: {
        ...this.#env,
        AMQP_URL: this.#broker.amqpUrl,
        AMQP_MANAGEMENT_URL: this.#broker.managementUrl,
      },
    });
    const running: Running = { process: child, ended: once(child, 'close'), output: '' };
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => (running.output += bytes.toString()));
    this.#running.add(running);
    void running.ended.then(() => this.#running.delete(running));
    return running;
  }

  #atTheBroker(text: string): string {
    return text
      .replaceAll('amqp://localhost', this.#broker.amqpUrl)
      .replaceAll('http://guest:guest@localhost:15672', this.#broker.managementUrl)
      .replaceAll('npx topology', this.#topologyCommand);
  }
}

async function expectPrinted({ at, running, printed }: Expectation): Promise<void> {
  const missing = () => printed.filter((line) => !isPrinted(running.output, line));
  await eventually(() => missing().length === 0, {
    deadlineMs: PRINT_DEADLINE_MS,
    describe: () => `${at}: not printed: ${missing().join(' | ')}\n${running.output}`,
  });
}

function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended already.
  }
}
