/**
 * A long-running program as a direct child: its log in a file, ready when it answers, stopped for
 * sure.
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { StackError } from '../stackError.ts';
import { logTail } from './logTail.ts';
import { sendSignal } from './processTable.ts';
import { waitUntil } from './waitUntil.ts';

/** Longer than a coach drains (20 s): a clean stop under load is no kill. */
const GRACE_MS = 30_000;
/** A child that is not ready yet has nothing to drain. */
const START_GRACE_MS = 3_000;

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the child; default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Output and errors are appended here; the folder is made when missing. */
  readonly logPath: string;
  /** Asked again and again; throwing means not yet. */
  readonly ready: () => Promise<boolean>;
  /** What was missing when it was last asked; told where it does not become ready. */
  readonly whyNot?: () => string | undefined;
  /** Told the process id at once, before the child is ready. */
  readonly onSpawn?: (pid: number) => void;
  /** Milliseconds from spawn until the child must be ready. */
  readonly deadlineMs: number;
  /** The polite signal of `stop`; default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  readonly onProgress?: ((line: string) => void) | undefined;
  /** Aborted before the child is ready: the child is stopped, and the start throws the reason of the signal. */
  readonly signal?: AbortSignal | undefined;
}

export interface ChildExit {
  /** 127 where the program could not be started; null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** @returns 'SIGKILL' or 'code 3'. */
export function describeExit({ code, signal }: ChildExit): string {
  return signal ?? `code ${String(code)}`;
}

export interface Child {
  readonly pid: number;
  readonly exited: Promise<ChildExit>;
  /** Asks politely, kills the process group after `graceMs` (default 30 s), resolves when it is gone. */
  stop(graceMs?: number): Promise<void>;
  /**
   * Sends the signal (default SIGKILL) to the process group and resolves when the child is gone.
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * Starts a program and waits until it is ready.
 * @throws StackError `SERVICE_NOT_READY` past the deadline, `SERVICE_DIED` when it exits before;
 * both carry the end of its log; the reason of the signal where it was aborted. The child is gone by then.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { ready, deadlineMs, signal } = options;
  signal?.throwIfAborted();
  const startedAt = performance.now();
  const child = spawnLogged(options);
  let exit: ChildExit | undefined;
  void child.exited.then((how) => (exit = how));
  options.onSpawn?.(child.pid);
  const abandoned = () => exit !== undefined;
  if (!(await waitUntil(ready, { deadlineMs, abandoned, signal }))) {
    if (signal?.aborted === true) {
      await child.stop(START_GRACE_MS);
      throw signal.reason;
    }
    throw await startFailure(options, child, exit);
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  options.onProgress?.(`${options.name} ready after ${seconds} s (pid ${child.pid})`);
  return child;
}

function spawnLogged(options: ChildOptions): Child {
  mkdirSync(dirname(options.logPath), { recursive: true });
  const log = openSync(options.logPath, 'a');
  const [command = options.command, ...args] = [...deathBond(), options.command, ...options.args];
  try {
    // Not execa: its output to a file passes through this process, and stops when this process does (adr/16).
    const subprocess = spawn(command, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ['ignore', log, log],
      // A group of its own: a signal to the launcher's group must reach only the launcher, which stops in order.
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
 * Has the kernel kill the child when the launcher dies without stopping it. Only Linux can. A launcher that died before
 * the kernel was asked is no longer the parent, and the child ends by itself.
 */
function deathBond(): string[] {
  const bond = ['setpriv', '--pdeathsig', 'KILL', '--'];
  setprivIsUsable ??= spawnSync('setpriv', [...bond.slice(1), 'true']).status === 0;
  if (!setprivIsUsable) return [];
  return [...bond, 'sh', '-c', '[ "$PPID" = "$0" ] && exec "$@"', String(process.pid)];
}

/** @param pid undefined where the program could not be started. */
function childOf(
  pid: number | undefined,
  exited: Promise<ChildExit>,
  stopSignal: NodeJS.Signals,
): Child {
  let hasExited = pid === undefined;
  void exited.then(() => (hasExited = true));
  const toGroup = (signal: NodeJS.Signals): boolean =>
    pid !== undefined && sendSignal(-pid, signal);
  return {
    pid: pid ?? 0,
    exited,
    async stop(graceMs = GRACE_MS) {
      const timer = setTimeout(() => toGroup('SIGKILL'), graceMs);
      if (pid !== undefined && !hasExited) sendSignal(pid, stopSignal);
      await exited;
      clearTimeout(timer);
      toGroup('SIGKILL');
    },
    async kill(signal = 'SIGKILL') {
      toGroup(signal);
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
  const log = `Last lines of ${options.logPath}:\n${await logTail(options.logPath)}`;
  if (exit !== undefined) {
    return new StackError(
      'SERVICE_DIED',
      `${options.name} ended before it was ready (${describeExit(exit)}).\n${log}`,
    );
  }
  const seconds = options.deadlineMs / 1000;
  const why = options.whyNot?.();
  const reason = why === undefined ? '' : `: ${why}`;
  const message = `${options.name} was not ready within ${seconds} s and has been killed${reason}.\n${log}`;
  return new StackError('SERVICE_NOT_READY', message);
}
