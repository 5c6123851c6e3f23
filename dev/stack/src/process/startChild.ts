/** A long-running program as a direct child: its output in a log file, started until it is ready, stopped completely. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StackError } from '../stackError.ts';
import { sendSignal } from './processTable.ts';
import { waitUntil } from './waitUntil.ts';

/** Longer than a coach drains (20 s), so that a clean stop under load is not killed. */
const STOP_GRACE_MS = 30_000;
/** A child that is not ready yet has nothing to drain. */
const START_STOP_GRACE_MS = 3_000;

/** Written to a log before each start of a program: the log of an earlier run explains nothing about this one. */
export const START_MARK = '--- start ';
const LOG_TAIL_BYTES = 16 * 1024;
const LOG_TAIL_LINES = 25;

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the child; default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Output and errors are appended to this file; its folder is made when missing. */
  readonly logPath: string;
  /** Polled until it returns true; throwing counts as not ready yet. */
  readonly ready: () => Promise<boolean>;
  /** The reason of the last answer of `ready`; part of the error if the child does not become ready. */
  readonly notReadyReason?: () => string | undefined;
  /** Called with the process id at once, before the child is ready. */
  readonly onSpawn?: (pid: number) => void;
  /** Milliseconds from spawn until the child must be ready. */
  readonly deadlineMs: number;
  /** The signal that asks the child to stop; default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  readonly onProgress?: ((line: string) => void) | undefined;
  /** Aborted before the child is ready: the child is stopped, and the start throws the reason of the signal. */
  readonly signal?: AbortSignal | undefined;
}

export interface ChildExit {
  /** 127 if the program could not be started; null if a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  readonly exited: Promise<ChildExit>;
  /** Sends the stop signal, kills the process group after `graceMs` (default 30 s), resolves when the child is gone. */
  stop(graceMs?: number): Promise<void>;
  /** Sends the signal (default SIGKILL) to the process group and resolves when the child is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * Starts a program and waits until it is ready.
 * @throws StackError `SERVER_NOT_READY` past the deadline, `SERVER_DIED` when it exits before; both with the end of its
 * log; the reason of the signal if it was aborted. The child is gone by then.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { ready, deadlineMs, signal } = options;
  signal?.throwIfAborted();
  const startedAt = performance.now();
  const child = spawnLogged(options);
  let exit: ChildExit | undefined;
  void child.exited.then((childExit) => (exit = childExit));
  options.onSpawn?.(child.pid);
  const abandoned = () => exit !== undefined;
  if (!(await waitUntil(ready, { deadlineMs, abandoned, signal }))) {
    if (signal?.aborted === true) {
      await child.stop(START_STOP_GRACE_MS);
      throw signal.reason;
    }
    throw await startFailure(options, child, exit);
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  options.onProgress?.(`${options.name} ready after ${seconds} s (pid ${child.pid})`);
  return child;
}

/** @returns 'SIGKILL' or 'code 3'. */
function describeExit({ code, signal }: ChildExit): string {
  return signal ?? `code ${String(code)}`;
}

/** @returns the report of an unexpected exit, with the end of the log. */
export async function describeUnexpectedExit(
  name: string,
  exit: ChildExit,
  logPath: string,
): Promise<string> {
  const lines = await readLogTail(logPath);
  return `${name} ended unexpectedly (${describeExit(exit)}). Last lines of its log:\n${lines}`;
}

/** @returns the last lines since the last start, joined by newlines; empty when the file does not exist. */
async function readLogTail(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const offset = Math.max(0, size - LOG_TAIL_BYTES);
      const buffer = Buffer.alloc(LOG_TAIL_BYTES);
      const { bytesRead } = await file.read(buffer, 0, LOG_TAIL_BYTES, offset);
      const lines = buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n');
      const start = lines.findLastIndex((line) => line.startsWith(START_MARK));
      return lines.slice(Math.max(start + 1, lines.length - LOG_TAIL_LINES)).join('\n');
    } finally {
      await file.close();
    }
  } catch {
    return '';
  }
}

function spawnLogged(options: ChildOptions): Child {
  mkdirSync(dirname(options.logPath), { recursive: true });
  const log = openSync(options.logPath, 'a');
  const words = [...killWithParent(), options.command, ...options.args];
  const [command = options.command, ...args] = words;
  try {
    // Not execa, whose output to a file passes through this process and stops when this process does (adr/16).
    const subprocess = spawn(command, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ['ignore', log, log],
      // A group of its own: a signal to the launcher's group must reach only the launcher, which stops all in order.
      detached: true,
    });
    const exited = new Promise<ChildExit>((settle) => {
      subprocess.once('exit', (code, signal) => {
        settle({ code, signal });
      });
      subprocess.once('error', () => {
        settle({ code: 127, signal: null });
      });
    });
    return childOf(subprocess.pid, exited, options.stopSignal ?? 'SIGTERM');
  } finally {
    closeSync(log);
  }
}

let setprivIsUsable: boolean | undefined;

/**
 * @returns words before a command that make the kernel kill it when this process ends without stopping it; none if
 * the kernel cannot, which is everywhere but on Linux. A parent that ended before the kernel was asked is no longer the
 * parent, and the command is then not started.
 */
function killWithParent(): string[] {
  const words = ['setpriv', '--pdeathsig', 'KILL', '--'];
  setprivIsUsable ??= spawnSync('setpriv', [...words.slice(1), 'true']).status === 0;
  if (!setprivIsUsable) return [];
  return [...words, 'sh', '-c', '[ "$PPID" = "$0" ] && exec "$@"', String(process.pid)];
}

/** @param pid undefined if the program could not be started. */
function childOf(
  pid: number | undefined,
  exited: Promise<ChildExit>,
  stopSignal: NodeJS.Signals,
): Child {
  let hasExited = pid === undefined;
  void exited.then(() => (hasExited = true));
  const signalGroup = (signal: NodeJS.Signals): boolean =>
    pid !== undefined && sendSignal(-pid, signal);
  return {
    pid: pid ?? 0,
    exited,
    async stop(graceMs = STOP_GRACE_MS) {
      const timer = setTimeout(() => signalGroup('SIGKILL'), graceMs);
      if (pid !== undefined && !hasExited) sendSignal(pid, stopSignal);
      await exited;
      clearTimeout(timer);
      signalGroup('SIGKILL');
    },
    async kill(signal = 'SIGKILL') {
      signalGroup(signal);
      await exited;
    },
  };
}

async function startFailure(
  options: ChildOptions,
  child: Child,
  exit: ChildExit | undefined,
): Promise<StackError> {
  await child.kill();
  const { name, logPath, deadlineMs } = options;
  const log = `Last lines of ${logPath}:\n${await readLogTail(logPath)}`;
  if (exit !== undefined) {
    const message = `${name} ended before it was ready (${describeExit(exit)}).\n${log}`;
    return new StackError('SERVER_DIED', message);
  }
  const notReadyReason = options.notReadyReason?.();
  const reason = notReadyReason === undefined ? '' : `: ${notReadyReason}`;
  const message = `${name} was not ready within ${deadlineMs / 1_000} s and has been killed${reason}.\n${log}`;
  return new StackError('SERVER_NOT_READY', message);
}
