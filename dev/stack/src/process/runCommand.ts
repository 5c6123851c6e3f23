/** Runs a program to its end and collects its output. */
import { execa } from 'execa';
import { StackError } from '../stackError.ts';
import { descendantsOf, identify, isAlive, sendSignal } from './processTable.ts';

const PROGRESS_INTERVAL_MS = 3_000;
/** Milliseconds from SIGTERM to SIGKILL if a program is stopped early. */
const STOP_GRACE_MS = 3_000;

/** Bounds the memory for output. The beginning is dropped, since the cause of a failure is at the end. */
const OUTPUT_LIMIT_CHARACTERS = 1_000_000;

/** Options that every step of a start passes on. */
export interface StepOptions {
  readonly onProgress?: ((line: string) => void) | undefined;
  /** Aborted when the start is no longer wanted: the step ends early and throws the reason of the signal. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunOptions extends StepOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Standard input; default: none. */
  readonly input?: string | undefined;
  /** With a title, a line with the elapsed seconds is reported every three seconds. */
  readonly title?: string;
}

export interface RunResult {
  /** Exit code; 127 when the program could not be started, 128 when a signal ended it. */
  readonly code: number;
  /** Standard output and standard error in the order of their arrival. */
  readonly output: string;
  /** Standard output alone. */
  readonly stdout: string;
}

/**
 * Runs a program; a failure is a result, not an exception. The program ends with this process.
 * @throws the reason of the signal if it was aborted; the program has ended by then.
 */
export async function runCommand(
  command: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const [program = '', ...args] = command;
  const progressTimer = reportProgress(options);
  let output = '';
  let stdout = '';
  const child = execa(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    extendEnv: options.env === undefined,
    input: options.input ?? '',
    reject: false,
    buffer: false,
  });
  const stop = () => {
    stopTree(child.pid);
  };
  options.signal?.addEventListener('abort', stop, { once: true });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout = (stdout + text).slice(-OUTPUT_LIMIT_CHARACTERS);
    output = (output + text).slice(-OUTPUT_LIMIT_CHARACTERS);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-OUTPUT_LIMIT_CHARACTERS);
  });
  const result = await child;
  clearInterval(progressTimer);
  options.signal?.removeEventListener('abort', stop);
  options.signal?.throwIfAborted();
  if (result.exitCode !== undefined) return { code: result.exitCode, output, stdout };
  if (result.signal !== undefined) return { code: 128, output, stdout };
  return { code: 127, output: `${output}${result.originalMessage ?? ''}`, stdout };
}

/**
 * Runs a program that has to succeed.
 * @throws StackError `COMMAND_FAILED` with the end of its output; the reason of the signal if it was aborted.
 */
export async function mustRun(
  command: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result = await runCommand(command, options);
  if (result.code === 0) return result;
  const end = result.output.trimEnd().split('\n').slice(-25).join('\n');
  const title = options.title ?? command.slice(0, 3).join(' ');
  throw new StackError('COMMAND_FAILED', `${title} failed with code ${result.code}:\n${end}`);
}

/**
 * Stops a program and its descendants: a descendant that continues would keep the output open, and `runCommand` would
 * wait for it. Not execa's `killDescendants`, which puts the program into a process group of its own: launch.mjs kills
 * the group of this process, so the program would survive a kill -9 of this process.
 */
function stopTree(pid: number | undefined): void {
  if (pid === undefined) return;
  const tree = [identify(pid), ...descendantsOf(pid)];
  sendSignal(pid, 'SIGTERM');
  setTimeout(() => {
    for (const process of tree) if (isAlive(process)) sendSignal(process.pid, 'SIGKILL');
  }, STOP_GRACE_MS);
}

function reportProgress(options: RunOptions): NodeJS.Timeout | undefined {
  const { title, onProgress } = options;
  if (title === undefined || onProgress === undefined) return undefined;
  const startedAt = performance.now();
  return setInterval(() => {
    onProgress(`${title} … ${Math.round((performance.now() - startedAt) / 1_000)} s`);
  }, PROGRESS_INTERVAL_MS);
}
