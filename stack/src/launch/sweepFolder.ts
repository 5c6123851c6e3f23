/** The last resort that lets nothing survive: kills every process that runs on a stack's folder. */
import { processesIn, processesOnFolder, sendSignal } from '../process/processTable.ts';
import { waitUntil } from '../process/waitUntil.ts';

const GONE_DEADLINE_MS = 10_000;

/**
 * Kills what runs on the folder. They are ours for certain: only a stack makes a folder visible as
 * `/stack` in a mount namespace of its own.
 * @returns how many processes were killed.
 */
export async function sweepFolder(folder: string): Promise<number> {
  return await killAll(() => processesOnFolder(folder));
}

/**
 * Kills all processes of a mount namespace, which is one service, and waits until they are gone.
 */
export async function sweepNamespace(namespace: string): Promise<number> {
  return await killAll(() => processesIn(namespace));
}

async function killAll(find: () => number[]): Promise<number> {
  const killed = new Set<number>();
  await waitUntil(
    () => {
      const found = find();
      for (const pid of found) {
        sendSignal(pid, 'SIGKILL');
        killed.add(pid);
      }
      return found.length === 0;
    },
    { deadlineMs: GONE_DEADLINE_MS },
  );
  return killed.size;
}
