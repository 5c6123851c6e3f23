/**
 * `stack up`: starts a stack and keeps it until a signal, or leaves that to a process of its own.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { folderIsClaimed } from '../launch/claimFolder.ts';
import { defaultFolder, launcherIsAlive, readState } from '../launch/stackState.ts';
import { startStack } from '../launch/startStack.ts';
import { logTail } from '../process/logTail.ts';
import { onStopSignal } from '../process/onStopSignal.ts';
import { waitUntil } from '../process/waitUntil.ts';
import { StackError } from '../stackError.ts';
import type { Command } from './parseArguments.ts';
import { printUrls } from './printUrls.ts';

/** A cold start builds everything; on a slow line that takes minutes. */
const DETACHED_DEADLINE_MS = 20 * 60_000;

/** Runs `up`. Resolves when the stack is stopped again, or with `--detach` when it is ready. */
export async function up(command: Command): Promise<void> {
  await (command.detach ? upDetached(command) : upForeground(command));
}

async function upForeground(command: Command): Promise<void> {
  const startedAt = Date.now();
  const print = (line: string): void => {
    console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  };
  // Listening from the first moment on: a signal during the start stops as soon as the start is
  // through.
  const signal = nextSignal();
  const { name, brokerSuite } = command;
  const stack = await startStack({ name, brokerSuite, onProgress: print });
  const death = new Promise<Error>((settle) => {
    stack.onUnexpectedExit((service) => {
      settle(new StackError('SERVICE_DIED', `${service} ended unexpectedly; all are stopped.`));
    });
  });
  printUrls(stack);
  console.log('Ctrl-C stops everything.');
  const reason = await Promise.race([signal, death]);
  print(typeof reason === 'string' ? `${reason}: stopping` : 'stopping');
  await stack.stop();
  if (typeof reason !== 'string') throw reason;
}

/** Later signals are swallowed: stopping is under way already, and has bounds of its own. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((settle) => {
    onStopSignal(settle);
  });
}

async function upDetached(command: Command): Promise<void> {
  const folder = defaultFolder(command.name);
  if (await folderIsClaimed(folder)) {
    throw new StackError('STACK_RUNNING', `A stack already runs on ${folder}; see \`status\`.`);
  }
  mkdirSync(join(folder, 'logs'), { recursive: true });
  const logPath = join(folder, 'logs', 'launcher.log');
  const log = openSync(logPath, 'w');
  const cli = resolve(import.meta.dirname, '../cli.ts');
  const words = ['up', '--name', command.name, '--broker-suite', command.brokerSuite];
  const launcher = spawn(process.execPath, [cli, ...words], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let hasExited = false;
  launcher.once('exit', () => {
    hasExited = true;
  });
  console.log(`starting in the background; progress is in ${logPath}`);
  const isReady = (): boolean => {
    const state = readState(folder);
    return state !== undefined && state.launcher.pid === launcher.pid && launcherIsAlive(state);
  };
  const bounds = { deadlineMs: DETACHED_DEADLINE_MS, abandoned: () => hasExited };
  if (!(await waitUntil(isReady, bounds))) {
    launcher.kill();
    throw new StackError('SERVICE_NOT_READY', await logTail(logPath));
  }
  launcher.unref();
  const state = readState(folder);
  if (state !== undefined) printUrls(state.urls);
}
