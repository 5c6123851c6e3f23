/**
 * A program under npm with all of its descendants. They are found by a variable in their environment, which also finds
 * processes that lost their parent.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { eventually } from '@fit/stack/testing';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface TreeOptions {
  /** Words after `npm`. */
  readonly words: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs npm in a terminal of its own. Default false. */
  readonly isInTerminal?: boolean;
}

/** A process and its command line, from /proc. */
export interface RunningProcess {
  readonly pid: number;
  readonly command: string;
}

export class ProcessTree {
  /** npm, or the terminal that it runs in. */
  readonly child: ChildProcess;
  readonly #mark: string;
  #exit: Exit | undefined;
  stdout = '';
  stderr = '';

  private constructor(options: TreeOptions) {
    this.#mark = `FIT_TEST_TREE=${randomUUID()}`;
    const npm = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim();
    const [name = '', value = ''] = this.#mark.split('=');
    const words = options.isInTerminal
      ? [
          'script',
          '--quiet',
          '--return',
          '--command',
          [npm, ...options.words].join(' '),
          '/dev/null',
        ]
      : [npm, ...options.words];
    this.child = spawn(words[0] ?? '', words.slice(1), {
      cwd: options.cwd,
      env: { ...environment(), ...options.env, [name]: value },
      stdio: 'pipe',
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.child.stdin?.on('error', () => undefined);
    this.child.once('exit', (code, signal) => {
      this.#exit = { code, signal };
    });
  }

  /** Starts the tree; the teardown kills what the test leaves of it. */
  static start(t: TestContext, options: TreeOptions): ProcessTree {
    const tree = new ProcessTree(options);
    t.after(() => {
      for (const { pid } of tree.processes()) tryToKill(pid);
    });
    return tree;
  }

  get output(): string {
    return `${this.stdout}\n${this.stderr}`;
  }

  /** @throws Error with all output, if the text does not come within two minutes. */
  async says(pattern: RegExp): Promise<string> {
    const found = await eventually(() => pattern.exec(this.output)?.[0], {
      deadlineMs: 120_000,
      describe: () => `no ${String(pattern)} in\n${this.output}`,
    });
    return found;
  }

  /** @throws Error with all output, if npm does not end within four minutes. */
  async exit(): Promise<Exit> {
    return await eventually(() => this.#exit, {
      deadlineMs: 240_000,
      describe: () => `npm still runs: ${JSON.stringify(this.processes())}\n${this.output}`,
    });
  }

  /** @returns all live processes that inherited the variable. */
  processes(): RunningProcess[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        try {
          const environ = readFileSync(`/proc/${name}/environ`, 'utf8');
          if (!environ.split('\0').includes(this.#mark)) return [];
          const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
          return [{ pid: Number(name), command: command.trim() }];
        } catch {
          return [];
        }
      });
  }

  /** @throws Error if there is not exactly one process with such words. */
  pidOf(pattern: RegExp): number {
    const found = this.processes().filter(({ command }) => pattern.test(command));
    const [process] = found;
    if (process === undefined || found.length > 1)
      throw new Error(`${String(pattern)} is none or many of ${JSON.stringify(this.processes())}`);
    return process.pid;
  }

  /** @throws Error that names what is left after a minute. */
  async leavesNothing(): Promise<void> {
    await eventually(() => this.processes().length === 0, {
      deadlineMs: 60_000,
      describe: () => `left: ${JSON.stringify(this.processes())}\n${this.output}`,
    });
  }
}

/** @returns the environment without the variables of `npm test` and its runner, as a person would start the tree. */
function environment(): NodeJS.ProcessEnv {
  const own = /^(?:npm_|NODE_|FIT_|AMQP_|MONGODB_)|^INIT_CWD$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}

function tryToKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The process has ended in the meantime.
  }
}
