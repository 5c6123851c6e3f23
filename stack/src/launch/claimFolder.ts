/** A stack's folder belongs to one launcher at a time, and its ports must be free. */
import { mkdir } from 'node:fs/promises';
import { portIsTaken, portVariable } from '../ports.ts';
import { holdLock, type Lock } from '../process/holdLock.ts';
import { waitUntil } from '../process/waitUntil.ts';
import type { ServiceDefinition } from '../service/serviceDefinition.ts';
import { StackError } from '../stackError.ts';
import { readState } from './stackState.ts';
import { sweepFolder } from './sweepFolder.ts';

type Progress = ((line: string) => void) | undefined;

/** A port stays taken for a moment after kill -9 of its owner. */
const PORT_FREE_DEADLINE_MS = 2000;

/**
 * Makes the folder and takes its lock. What a killed launcher left running there is killed first.
 * @throws StackError `STACK_RUNNING` while another launcher holds it.
 */
export async function claimFolder(folder: string, onProgress: Progress): Promise<Lock> {
  await mkdir(folder, { recursive: true });
  const lock = await holdLock(folderLock(folder));
  if (lock === undefined) {
    const holder = readState(folder);
    const who =
      holder === undefined ? 'it is still starting' : `launcher pid ${holder.launcher.pid}`;
    const way = 'Stop it with Ctrl-C or `npm run stack -- down`, or choose another --name.';
    throw new StackError('STACK_RUNNING', `A stack already runs on ${folder} (${who}).\n${way}`);
  }
  const killed = await sweepFolder(folder);
  if (killed > 0) onProgress?.(`killed ${killed} processes that a former launcher left behind`);
  return lock;
}

/** Whether some launcher holds the folder. */
export async function folderIsClaimed(folder: string): Promise<boolean> {
  const lock = await holdLock(folderLock(folder));
  lock?.release();
  return lock === undefined;
}

/**
 * Checks that every port is free.
 * @throws StackError `PORT_TAKEN`, listing all taken ports with the variables that move them.
 */
export async function checkPorts(
  definitions: readonly ServiceDefinition[],
  portOf: Readonly<Record<string, number>>,
): Promise<void> {
  const findings: string[] = [];
  for (const { name, listensOn } of definitions) {
    for (const port of listensOn) {
      const number = portOf[port] ?? 0;
      const isFree = async (): Promise<boolean> => !(await portIsTaken(number));
      if (await waitUntil(isFree, { deadlineMs: PORT_FREE_DEADLINE_MS })) continue;
      findings.push(`port ${number} of ${name} is taken; ${portVariable(port)}=<port> moves it`);
    }
  }
  if (findings.length > 0) throw new StackError('PORT_TAKEN', findings.join('\n'));
}

function folderLock(folder: string): string {
  return `run:${folder}`;
}
