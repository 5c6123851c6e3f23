/** Does what a page tells its reader to do, on the broker of a test. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { eventually, type TestBroker } from '@fit/stack/testing';
import { isPrinted, type ShellStep } from '../../src/codeBlocks.ts';
import { REPOSITORY } from '../../src/repository.ts';

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

/** A reader has RabbitMQ at the default address and the packages installed; a test has neither. */
export class Reader {
  readonly #folder: string;
  readonly #broker: TestBroker;
  readonly #running = new Set<Running>();
  #background: Expectation | undefined;

  constructor(t: TestContext, broker: TestBroker, folder: string) {
    this.#broker = broker;
    this.#folder = folder;
    t.after(async () => {
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
        ...process.env,
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
      .replaceAll('npx topology', `node ${join(REPOSITORY, 'topology-cli/src/main.ts')}`);
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
