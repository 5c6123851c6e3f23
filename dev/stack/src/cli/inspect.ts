/** `stack down`, `status` and `logs`: commands on a stack that another process started. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defaultFolder, launcherIsAlive, readState } from '../launch/stackState.ts';
import { stopStack } from '../launch/stopStack.ts';
import { identify } from '../process/processTable.ts';
import { SERVICE_NAMES } from '../service/serviceDefinition.ts';
import { StackError } from '../stackError.ts';
import type { Command } from './parseArguments.ts';
import { printUrls } from './printUrls.ts';

/** Stops the stack, or what is left of one; nothing running is fine. */
export async function down(command: Command): Promise<void> {
  const wasRunning = await stopStack(defaultFolder(command.name), { purge: command.purge });
  const what = wasRunning ? 'is stopped' : 'was not running';
  console.log(`stack ${command.name} ${what}${command.purge ? '; its data is deleted' : ''}`);
}

/** Prints what runs. Exit code 1 when nothing does, so that scripts can ask. */
export function status(command: Command): void {
  const state = readState(defaultFolder(command.name));
  const hasLauncher = state !== undefined && launcherIsAlive(state);
  // A stack that still starts is not up: scripts ask this before they use it.
  const running = hasLauncher && state.urls !== undefined;
  if (!running) process.exitCode = 1;
  const services = running ? state.services : [];
  if (command.json) {
    const urls = running ? state.urls : undefined;
    console.log(JSON.stringify({ name: command.name, running, urls, services }, undefined, 2));
    return;
  }
  if (!running) {
    const starting = hasLauncher ? `is starting, launcher pid ${state.launcher.pid}` : undefined;
    console.log(`stack ${command.name} ${starting ?? 'does not run'}`);
    return;
  }
  console.log(`stack ${command.name} runs, launcher pid ${state.launcher.pid}`);
  for (const { name, pid, url } of services) {
    const alive = identify(pid).startTicks === undefined ? 'gone' : `pid ${pid}`;
    console.log(`${name.padEnd(13)} ${alive.padEnd(12)} ${url}`);
  }
  printUrls(command.name, state.urls);
}

/** Prints the logs with `tail`, which follows several files and survives their replacement. */
export async function logs(command: Command): Promise<void> {
  const folder = join(defaultFolder(command.name), 'logs');
  const names = command.service === undefined ? SERVICE_NAMES : [command.service];
  const paths = names.map((name) => join(folder, `${name}.log`)).filter((path) => existsSync(path));
  if (paths.length === 0) throw new StackError('COMMAND_FAILED', `no logs in ${folder}`);
  const follow = command.follow ? ['--follow=name'] : [];
  const tail = spawn('tail', ['--lines=100', ...follow, ...paths], { stdio: 'inherit' });
  await new Promise((resolve) => tail.once('exit', resolve));
}
