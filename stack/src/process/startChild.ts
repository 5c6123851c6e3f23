/**
 * A long-running program as a direct child: its log in a file, ready when it answers, stopped for
 * sure.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { StackError } from '../stackError.ts';
import { logTail } from './logTail.ts';
import { sendSignal } from './processTable.ts';
import { waitUntil } from './waitUntil.ts';

/** Longer than a coach drains (20 s): a clean stop under load is no kill. */
const GRACE_MS = 30_000;

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
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  readonly exited: Promise<ChildExit>;
  /** Asks politely, kills the process group after 30 s, resolves when it is gone. */
  stop(): Promise<void>;
  /**
   * Sends the signal (default SIGKILL) to the process group and resolves when the child is gone.
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * Starts a program and waits until it is ready.
 * @throws StackError `SERVICE_NOT_READY` past the deadline, `SERVICE_DIED` when it exits before;
 * both carry the end of its log, and the child is gone by then.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const startedAt = Date.now();
  const process = spawnLogged(options);
  let exit: ChildExit | undefined;
  const exited = new Promise<ChildExit>((resolve) => {
    process.once('exit', (code, signal) => {
      exit = { code, signal };
      resolve(exit);
    });
    process.once('error', () => {
      exit ??= { code: 127, signal: null };
      resolve(exit);
    });
  });
  const child = childOf(process, exited, options.stopSignal ?? 'SIGTERM');
  const { ready, deadlineMs } = options;
  options.onSpawn?.(child.pid);
  if (!(await waitUntil(ready, { deadlineMs, abandoned: () => exit !== undefined }))) {
    throw await startFailure(options, child, exit);
  }
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  options.onProgress?.(`${options.name} ready after ${seconds} s (pid ${child.pid})`);
  return child;
}

function spawnLogged(options: ChildOptions): ChildProcess {
  mkdirSync(dirname(options.logPath), { recursive: true });
  const log = openSync(options.logPath, 'a');
  const [command, ...args] = [...deathBond(), options.command, ...options.args];
  try {
    return spawn(command ?? options.command, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ['ignore', log, log],
      // A group of its own: Ctrl-C in the terminal must reach only the launcher, which stops in
      // order.
      detached: true,
    });
  } finally {
    closeSync(log);
  }
}

let setprivIsUsable: boolean | undefined;

/** Has the kernel kill the child when the launcher dies without stopping it. Only Linux can. */
function deathBond(): string[] {
  const bond = ['setpriv', '--pdeathsig', 'KILL', '--'];
  setprivIsUsable ??= spawnSync('setpriv', [...bond.slice(1), 'true']).status === 0;
  return setprivIsUsable ? bond : [];
}

function childOf(process: ChildProcess, exited: Promise<ChildExit>, polite: NodeJS.Signals): Child {
  const pid = process.pid ?? 0;
  // Pid 0 would be our own process group; it means that the program could not be spawned at all.
  const toGroup = (signal: NodeJS.Signals): boolean => pid > 0 && sendSignal(-pid, signal);
  return {
    pid,
    exited,
    async stop() {
      const timer = setTimeout(() => toGroup('SIGKILL'), GRACE_MS);
      if (pid > 0 && process.exitCode === null && process.signalCode === null) {
        sendSignal(pid, polite);
      }
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
    const how = exit.signal ?? `code ${String(exit.code)}`;
    return new StackError(
      'SERVICE_DIED',
      `${options.name} ended before it was ready (${how}).\n${log}`,
    );
  }
  const seconds = options.deadlineMs / 1000;
  const why = options.whyNot?.();
  const reason = why === undefined ? '' : `: ${why}`;
  const message = `${options.name} was not ready within ${seconds} s and has been killed${reason}.\n${log}`;
  return new StackError('SERVICE_NOT_READY', message);
}
