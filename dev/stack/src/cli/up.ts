/**
 * `stack up`: starts a stack and keeps it until a signal, or leaves that to a process of its own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { checkUnclaimed } from '../launch/claimFolder.ts';
import { defaultFolder, launcherIsAlive, readState } from '../launch/stackState.ts';
import { startStack } from '../launch/startStack.ts';
import { sweepFolder } from '../launch/sweepFolder.ts';
import { logTail } from '../process/logTail.ts';
import { makeFolder } from '../process/makeFolder.ts';
import { stopOnSignal } from '../process/stopOnSignal.ts';
import { waitUntil } from '../process/waitUntil.ts';
import { StackError } from '../stackError.ts';
import type { Command } from './parseArguments.ts';
import { printUrls } from './printUrls.ts';

/** A cold start builds everything; on a slow line that takes minutes. */
const DETACHED_DEADLINE_MS = 20 * 60_000;

/**
 * Runs `up`. Resolves when the stack is stopped again, or with `--detach` when it is ready.
 * @throws StackError where it does not come up, or a service of it is given up; `STOPPED` for a signal while it starts.
 */
export async function up(command: Command): Promise<void> {
  await (command.detach ? upDetached(command) : upForeground(command));
}

async function upForeground({ name, brokerSuite }: Command): Promise<void> {
  const startedAt = performance.now();
  const print = (line: string): void => {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(6);
    console.error(`${seconds} s  ${line}`);
  };
  const signal = stopOnSignal(() => sweepFolder(defaultFolder(name)));
  const stopped = once(signal, 'abort').then(() => {
    print('stopping');
  });
  const { promise: givenUp, resolve: onGiveUp } = Promise.withResolvers<StackError>();
  const restarts = { onGiveUp };
  const stack = await startStack({
    name,
    brokerSuite,
    hasPasswords: true,
    onProgress: print,
    signal,
    restarts,
  });
  printUrls(name, stack);
  console.error('Ctrl-C stops everything.');
  const failure = await Promise.race([stopped, givenUp]);
  await stack.stop();
  if (failure !== undefined) throw failure;
}

async function upDetached({ name, brokerSuite }: Command): Promise<void> {
  const folder = defaultFolder(name);
  await checkUnclaimed(folder);
  makeFolder(join(folder, 'logs'), 'Data is kept in .stack of the checkout: make it writable.');
  const logPath = join(folder, 'logs', 'launcher.log');
  const log = openSync(logPath, 'w');
  const cli = resolve(import.meta.dirname, '../cli.ts');
  const words = ['up', '--name', name, '--broker-suite', brokerSuite];
  const launcher = spawn(process.execPath, [cli, ...words], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const exited = once(launcher, 'exit');
  let hasExited = false;
  void exited.then(() => (hasExited = true));
  const signal = stopOnSignal(() => sweepFolder(folder));
  console.error(`starting in the background; progress is in ${logPath}`);
  const isReady = (): boolean => {
    const state = readState(folder);
    return (
      state?.urls !== undefined && state.launcher.pid === launcher.pid && launcherIsAlive(state)
    );
  };
  const bounds = { deadlineMs: DETACHED_DEADLINE_MS, abandoned: () => hasExited, signal };
  if (!(await waitUntil(isReady, bounds))) {
    if (signal.aborted) console.error('stopping');
    launcher.kill();
    await exited;
    signal.throwIfAborted();
    throw new StackError('SERVICE_NOT_READY', await logTail(logPath));
  }
  launcher.unref();
  const urls = readState(folder)?.urls;
  if (urls !== undefined) printUrls(name, urls);
}
