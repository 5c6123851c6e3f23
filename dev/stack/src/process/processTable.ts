/**
 * What the kernel knows about processes: who is alive, since when, and who shares a mount
 * namespace.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process id alone is reused in time; with the start time it names one process of this boot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot at which the process started; undefined where /proc is missing. */
  readonly startTicks: string | undefined;
}

/** The identity of a live process. */
export function identify(pid: number): ProcessIdentity {
  return { pid, startTicks: statFields(pid)?.[19] };
}

/** Whether that very process still runs; a zombie does not count, it holds nothing any more. */
export function isAlive(identity: ProcessIdentity): boolean {
  const fields = statFields(identity.pid);
  return fields !== undefined && fields[0] !== 'Z' && fields[19] === identity.startTicks;
}

/**
 * The mount namespace a process is in, for example `mnt:[4026532281]`; undefined when it is gone.
 */
export function mountNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

/** A mount namespace that is kept open. */
export interface HeldNamespace {
  /** Such as `mnt:[4026532281]`. */
  readonly id: string;
  release(): void;
}

/**
 * Keeps the mount namespace of a process, which then no other process can get the id of. The kernel gives the id of a
 * namespace away as soon as its last process has ended, and whoever kills by a remembered id would kill strangers.
 * @returns undefined where the process is gone, or still in the namespace of this one.
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
 * All live processes of a mount namespace. Each service has one of its own, so these are the
 * service with everything it ever forked, including what made itself a daemon.
 */
export function processesIn(namespace: string): number[] {
  return allPids().filter(
    (pid) => mountNamespace(pid) === namespace && statFields(pid)?.[0] !== 'Z',
  );
}

/** Whether a process sees a folder of the host at `/stack`: then a stack started it. */
export function seesStackFolder(pid: number, folder: string): boolean {
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

/** All live processes that see a folder of the host at `/stack`. */
export function processesOnFolder(folder: string): number[] {
  const host = mountNamespace(process.pid);
  return allPids().filter((pid) => mountNamespace(pid) !== host && seesStackFolder(pid, folder));
}

/** All live processes that a process started, and those started. Who lost its parent is nobody's descendant. */
export function descendantsOf(pid: number): ProcessIdentity[] {
  const parentOf = new Map(allPids().map((each) => [each, Number(statFields(each)?.[1])]));
  const found = new Set([pid]);
  // A parent may have a higher id than its child, so the search goes on until it finds nothing new.
  for (let count = 0; count !== found.size; ) {
    count = found.size;
    for (const [each, parent] of parentOf) if (found.has(parent)) found.add(each);
  }
  found.delete(pid);
  return [...found].map(identify);
}

/** Sends a signal; false when the process is gone already. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function allPids(): number[] {
  // Without /proc there are no mount namespaces either, and no service that has one of its own.
  if (!existsSync('/proc')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/**
 * Fields of /proc/PID/stat after the command name, which may itself contain blanks and brackets.
 */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function unescapeMount(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
