/**
 * Processes as the kernel reports them: which are alive, and which belong to a server. The latter is read
 * from their mount namespaces, which no package does.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { StackError } from '../stackError.ts';
import { waitUntil } from './waitUntil.ts';

/** Bounds the wait for killed processes: a process that waits for a busy disk ends only when the disk has answered. */
const KILL_DEADLINE_MS = 30_000;

/** A process id alone is reused in time; with the start time it identifies one process of this boot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot at which the process started; undefined if /proc is missing. */
  readonly startTicks: string | undefined;
}

export function identify(pid: number): ProcessIdentity {
  return { pid, startTicks: statFields(pid)?.[19] };
}

/** @returns whether that very process still runs; a zombie does not count, since it holds nothing. */
export function isAlive(identity: ProcessIdentity): boolean {
  const fields = statFields(identity.pid);
  return fields !== undefined && fields[0] !== 'Z' && fields[19] === identity.startTicks;
}

/** A mount namespace that is kept open. */
export interface HeldNamespace {
  /** Such as `mnt:[4026532281]`. */
  readonly id: string;
  release(): void;
}

/**
 * Keeps the mount namespace of a process open. The kernel reuses the id of a namespace as soon as its last process has
 * ended, so killing by a remembered id could otherwise hit processes of somebody else.
 * @returns undefined if the process is gone, or is still in the namespace of this process.
 */
export function holdNamespace(pid: number): HeldNamespace | undefined {
  try {
    const file = openSync(`/proc/${pid}/ns/mnt`, 'r');
    const id = readlinkSync(`/proc/self/fd/${file}`);
    const release = (): void => {
      closeSync(file);
    };
    if (id !== mountNamespace(process.pid)) return { id, release };
    release();
    return undefined;
  } catch {
    return undefined;
  }
}

/**
 * @returns all live processes of a mount namespace. Each server has a namespace of its own, so these are the server with
 * everything that it ever forked, daemons included.
 */
export function processesIn(namespace: string): number[] {
  return allPids().filter(
    (pid) => mountNamespace(pid) === namespace && statFields(pid)?.[0] !== 'Z',
  );
}

/** @returns all live processes that see a folder of the host at `/stack`, which only servers of a stack do. */
export function processesOnFolder(folder: string): number[] {
  const host = mountNamespace(process.pid);
  return allPids().filter((pid) => mountNamespace(pid) !== host && seesStackFolder(pid, folder));
}

/** @returns all live processes that a process started, directly or indirectly, except those whose parent has ended. */
export function descendantsOf(pid: number): ProcessIdentity[] {
  const parentOf = new Map(allPids().map((each) => [each, Number(statFields(each)?.[1])]));
  const found = new Set([pid]);
  // A parent may have a higher id than its child, so the search is repeated until it finds nothing new.
  for (let count = 0; count !== found.size; ) {
    count = found.size;
    for (const [each, parent] of parentOf) if (found.has(parent)) found.add(each);
  }
  found.delete(pid);
  return [...found].map(identify);
}

/** @returns false when the process is gone already. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/**
 * Kills every process that runs on a stack's folder.
 * @returns how many processes were killed.
 * @throws StackError `PROCESSES_LEFT` if a process is still there after 30 s.
 */
export async function killProcessesOnFolder(folder: string): Promise<number> {
  return await killAll(() => processesOnFolder(folder));
}

export interface KillOptions {
  /** Milliseconds until it gives up; default 30,000. */
  readonly deadlineMs?: number;
  /** Default: SIGKILL. */
  readonly kill?: (pid: number) => void;
}

/**
 * Kills the processes that are found, until none is found any more.
 * @returns how many processes were killed.
 * @throws StackError `PROCESSES_LEFT` with the ids of the processes that are still found at the deadline.
 */
export async function killAll(find: () => number[], options: KillOptions = {}): Promise<number> {
  const { deadlineMs = KILL_DEADLINE_MS, kill = (pid: number) => sendSignal(pid, 'SIGKILL') } =
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
      'Nothing is started on the data that they use. `ps -o pid,stat,wchan,args -p <pid>` shows what each waits for; ' +
      'try again once they are gone.',
  );
}

function mountNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

function seesStackFolder(pid: number, folder: string): boolean {
  try {
    const lines = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n');
    return lines.some((line) => {
      const [, , , source, point] = line.split(' ');
      return point === '/stack' && source !== undefined && folder.endsWith(unescapeMount(source));
    });
  } catch {
    return false;
  }
}

/** mountinfo writes blanks and the like as octal numbers. */
function unescapeMount(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function allPids(): number[] {
  // Without /proc there are no mount namespaces either, and so no servers of a stack.
  if (!existsSync('/proc')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** @returns the fields of /proc/PID/stat after the command name, which may itself contain blanks and brackets. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
