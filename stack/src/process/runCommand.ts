/** A program run to its end, with its output collected and a sign of life while it takes long. */
import { spawn } from 'node:child_process';
import { StackError } from '../stackError.ts';

const SIGN_OF_LIFE_MS = 3000;

/** More is of no use to anybody; the beginning is dropped, the end says what went wrong. */
const OUTPUT_LIMIT_CHARACTERS = 1_000_000;

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Standard input; default: none. */
  readonly input?: string | undefined;
  /** With a title, a line with the elapsed seconds appears every three seconds. */
  readonly title?: string;
  readonly onProgress?: ((line: string) => void) | undefined;
}

export interface RunResult {
  /** Exit code; 127 when the program could not be started, 128 when a signal ended it. */
  readonly code: number;
  /** Standard output and standard error as they came. */
  readonly output: string;
  /** Standard output alone. */
  readonly stdout: string;
}

/** Runs a program; a failure is an answer, not an exception. */
export function runCommand(
  command: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const [program = '', ...args] = command;
  const ticking = signsOfLife(options);
  return new Promise((resolve) => {
    let output = '';
    let stdout = '';
    const process = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: 'pipe',
    });
    // A program that ends without reading it says so by its exit code.
    process.stdin.on('error', () => undefined);
    process.stdin.end(options.input ?? '');
    const finish = (code: number): void => {
      clearInterval(ticking);
      resolve({ code, output, stdout });
    };
    process.stdout.on('data', (chunk: Buffer) => {
      stdout = (stdout + chunk.toString()).slice(-OUTPUT_LIMIT_CHARACTERS);
      output = (output + chunk.toString()).slice(-OUTPUT_LIMIT_CHARACTERS);
    });
    process.stderr.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_LIMIT_CHARACTERS);
    });
    process.once('error', (error) => {
      output += error.message;
      finish(127);
    });
    process.once('close', (code) => {
      finish(code ?? 128);
    });
  });
}

/**
 * Runs a program that has to succeed.
 * @throws StackError `COMMAND_FAILED` with the end of its output.
 */
export async function mustRun(
  command: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result = await runCommand(command, options);
  if (result.code === 0) return result;
  const end = result.output.trimEnd().split('\n').slice(-25).join('\n');
  const what = options.title ?? command.slice(0, 3).join(' ');
  throw new StackError('COMMAND_FAILED', `${what} failed with code ${result.code}:\n${end}`);
}

function signsOfLife(options: RunOptions): NodeJS.Timeout | undefined {
  const { title, onProgress } = options;
  if (title === undefined || onProgress === undefined) return undefined;
  const startedAt = Date.now();
  return setInterval(() => {
    onProgress(`${title} … ${Math.round((Date.now() - startedAt) / 1000)} s`);
  }, SIGN_OF_LIFE_MS);
}
