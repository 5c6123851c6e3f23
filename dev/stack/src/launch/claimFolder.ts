/** A stack's folder belongs to one launcher at a time, and its ports must be free. */
import { rm } from 'node:fs/promises';
import { portIsTaken, portVariable } from '../ports.ts';
import { holdLock, type Lock } from '../process/holdLock.ts';
import { makeFolder } from '../process/makeFolder.ts';
import type { StepOptions } from '../process/runCommand.ts';
import { waitUntil } from '../process/waitUntil.ts';
import type { ServiceDefinition } from '../service/serviceDefinition.ts';
import { StackError } from '../stackError.ts';
import { launcherIsAlive, readState, writeState } from './stackState.ts';
import { sweepFolder } from './sweepFolder.ts';

/** A port stays taken for a moment after kill -9 of its owner. */
const PORT_FREE_DEADLINE_MS = 2000;

/** The lock of a process that was killed is free once the kernel has closed its sockets. */
const LOCK_FREE_DEADLINE_MS = 5000;

export interface ClaimOptions extends StepOptions {
  /** Name of the stack. */
  readonly name: string;
  /** Deletes what the folder holds, once it is claimed. Default false. */
  readonly isFresh?: boolean;
}

/**
 * Makes the folder, takes its lock and writes down who holds it. What a killed launcher left running there is killed
 * first.
 * @throws StackError `STACK_RUNNING` while another launcher holds it; nothing was changed then. `FOLDER_UNUSABLE`.
 */
export async function claimFolder(folder: string, options: ClaimOptions): Promise<Lock> {
  const { name, onProgress } = options;
  const lock = await holdLock(folderLock(folder));
  if (lock === undefined) throw alreadyRunning(folder);
  try {
    makeStackFolder(folder);
    const killed = await sweepFolder(folder);
    if (killed > 0) onProgress?.(`killed ${killed} processes that a former launcher left behind`);
    if (options.isFresh === true) {
      await rm(folder, { recursive: true, force: true });
      makeStackFolder(folder);
      onProgress?.(`deleted the data of the last start in ${folder}`);
    }
    writeState(folder, { name, urls: undefined, services: [] });
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

function alreadyRunning(folder: string): StackError {
  const holder = readState(folder);
  const who =
    holder !== undefined && launcherIsAlive(holder)
      ? `launcher pid ${holder.launcher.pid}`
      : 'a launcher that has only just begun, or is ending';
  const remedy = 'Stop it with Ctrl-C or `npm run stack -- down`, or choose another --name.';
  return new StackError('STACK_RUNNING', `A stack already runs on ${folder} (${who}).\n${remedy}`);
}

function makeStackFolder(folder: string): void {
  makeFolder(folder, 'Data is kept in .stack of the checkout: make that folder writable.');
}

/**
 * Whether the folder is free.
 * @throws StackError `STACK_RUNNING` while a launcher holds it.
 */
export async function checkUnclaimed(folder: string): Promise<void> {
  const lock = await holdLock(folderLock(folder));
  if (lock === undefined) throw alreadyRunning(folder);
  lock.release();
}

/**
 * Takes the lock of a folder whose launcher was just stopped, to clean up there.
 * @throws StackError `STACK_RUNNING` where another launcher took it meanwhile.
 */
export async function lockStopped(folder: string): Promise<Lock> {
  let lock: Lock | undefined;
  const take = async (): Promise<boolean> =>
    (lock = await holdLock(folderLock(folder))) !== undefined;
  await waitUntil(take, { deadlineMs: LOCK_FREE_DEADLINE_MS });
  if (lock === undefined) throw alreadyRunning(folder);
  return lock;
}

/**
 * Checks that every port is free.
 * @throws StackError `PORT_TAKEN`, listing all taken ports with the variables that move them.
 */
export async function checkPorts(
  definitions: readonly ServiceDefinition[],
  portOf: Readonly<Record<string, number>>,
  signal?: AbortSignal,
): Promise<void> {
  const findings: string[] = [];
  for (const { name, listensOn } of definitions) {
    for (const port of listensOn) {
      const number = portOf[port] ?? 0;
      const isFree = async (): Promise<boolean> => !(await portIsTaken(number));
      if (await waitUntil(isFree, { deadlineMs: PORT_FREE_DEADLINE_MS, signal })) continue;
      signal?.throwIfAborted();
      findings.push(`port ${number} of ${name} is taken; ${portVariable(port)}=<port> moves it`);
    }
  }
  if (findings.length > 0) throw new StackError('PORT_TAKEN', findings.join('\n'));
}

function folderLock(folder: string): string {
  return `run:${folder}`;
}
