/** An example as its own process, on the broker of a test. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Teardown, TestBroker } from '@fit/stack/testing';
import { eventually } from '@fit/stack/testing';

export const EXAMPLES = join(import.meta.dirname, '../..');
/** Where systems were installed as a stranger does (`npm run packages`); default: they run here, on the sources of the packages. */
const INSTALLED = process.env['FIT_INSTALLED_EXAMPLES'];
/** Examples wait for seconds; a busy machine starts programs slowly. */
const DEADLINE_MS = 60_000;

export class Program {
  readonly ended: Promise<unknown>;
  readonly #process: ChildProcess;
  #output = '';

  /** @param words program and arguments of Node; a program of the examples by its name alone. */
  constructor(
    t: Teardown,
    { amqpUrl, managementUrl }: TestBroker,
    [file, ...args]: readonly [string, ...string[]],
    variables: Readonly<Record<string, string>> = {},
  ) {
    this.#process = spawn(process.execPath, [join(INSTALLED ?? EXAMPLES, file), ...args], {
      env: {
        ...process.env,
        // Without the condition by which sources of the packages are loaded.
        ...(INSTALLED === undefined ? {} : { NODE_OPTIONS: '' }),
        AMQP_URL: amqpUrl,
        AMQP_MANAGEMENT_URL: managementUrl,
        ...variables,
      },
    });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on('data', (bytes: Buffer) => (this.#output += bytes.toString()));
    this.ended = once(this.#process, 'close');
    t.after(async () => {
      this.#process.kill('SIGKILL');
      await this.ended;
    });
  }

  /** What it has printed, without empty lines. */
  get lines(): string[] {
    return this.#output.split('\n').filter((line) => line !== '');
  }

  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  /** Waits until it has printed each of these lines, in any order. */
  async hasPrinted(...lines: readonly string[]): Promise<void> {
    await eventually(() => lines.every((line) => this.lines.includes(line)), {
      deadlineMs: DEADLINE_MS,
      describe: () => `expected ${lines.join(' | ')}, printed ${this.lines.join(' | ')}`,
    });
  }

  /** Asks it to stop, and waits until it has ended. */
  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    await this.ended;
  }

  /** Waits until it has ended by itself. @throws if it failed. */
  async succeeds(): Promise<void> {
    await this.ended;
    assert.equal(this.exitCode, 0, this.#output);
  }
}
