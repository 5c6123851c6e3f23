/** The last resort that lets nothing survive: kills every process that runs on a stack's folder. */
import { processesIn, processesOnFolder, sendSignal } from '../process/processTable.ts';
import { waitUntil } from '../process/waitUntil.ts';
import { StackError } from '../stackError.ts';

/** A process that waits for a busy disk ends only when the disk has answered. */
const GONE_DEADLINE_MS = 30_000;

export interface KillOptions {
  /** Milliseconds until it gives up; default 30,000. */
  readonly deadlineMs?: number;
  /** Default: SIGKILL. */
  readonly kill?: (pid: number) => void;
}

/**
 * Kills what runs on the folder. They are ours for certain: only a stack makes a folder visible as
 * `/stack` in a mount namespace of its own.
 * @returns how many processes were killed.
 * @throws StackError `PROCESSES_LEFT` where one is still there after 30 s.
 */
export async function sweepFolder(folder: string): Promise<number> {
  return await killAll(() => processesOnFolder(folder));
}

/**
 * Kills all processes of a mount namespace, which is one service, and waits until they are gone.
 * @throws StackError `PROCESSES_LEFT` where one is still there after 30 s.
 */
export async function sweepNamespace(namespace: string): Promise<number> {
  return await killAll(() => processesIn(namespace));
}

/**
 * Kills what is found, until nothing is found any more.
 * @returns how many processes were killed.
 * @throws StackError `PROCESSES_LEFT` with the ids of those that are still found at the deadline.
 */
export async function killAll(find: () => number[], options: KillOptions = {}): Promise<number> {
  const { deadlineMs = GONE_DEADLINE_MS, kill = (pid: number) => sendSignal(pid, 'SIGKILL') } =
    options;
  const killed = new Set<number>();
  let left: number[] = [];
  const areGone = await waitUntil(
    () => {
      left = find();
      for (const pid of left) {
        kill(pid);
        killed.add(pid);
      }
      return left.length === 0;
    },
    { deadlineMs },
  );
  if (areGone) return killed.size;
  throw new StackError(
    'PROCESSES_LEFT',
    `still running ${deadlineMs / 1_000} s after SIGKILL: pid ${left.join(', ')}. ` +
      'Nothing is started on the data that they hold. `ps -o pid,stat,wchan,args -p <pid>` tells what each waits for; ' +
      'once they are gone, try again.',
  );
}
