/** Stopping a stack from another process: politely through its launcher, else by force. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { sendSignal } from '../process/processTable.ts';
import { waitUntil } from '../process/waitUntil.ts';
import { lockStopped } from './claimFolder.ts';
import { launcherIsAlive, readState, removeState } from './stackState.ts';
import { sweepFolder } from './sweepFolder.ts';

/** Longer than every service's own grace period together would rarely be; then force. */
const LAUNCHER_DEADLINE_MS = 60_000;

/**
 * Stops the stack in a folder and everything left over from one that was killed.
 * @returns true when anything was running.
 * @throws StackError `STACK_RUNNING` where a launcher begins there at the same moment; its data is left alone.
 */
export async function stopStack(folder: string, options: { purge: boolean }): Promise<boolean> {
  const state = readState(folder);
  let wasRunning = false;
  if (state !== undefined && launcherIsAlive(state)) {
    wasRunning = true;
    sendSignal(state.launcher.pid, 'SIGTERM');
    const deadlineMs = LAUNCHER_DEADLINE_MS;
    const isGone = await waitUntil(() => !launcherIsAlive(state), { deadlineMs });
    if (!isGone) sendSignal(state.launcher.pid, 'SIGKILL');
  }
  const lock = await lockStopped(folder);
  try {
    const killed = await sweepFolder(folder);
    removeState(folder);
    if (options.purge && existsSync(folder)) await rm(folder, { recursive: true, force: true });
    return wasRunning || killed > 0;
  } finally {
    lock.release();
  }
}
