/** Memory, open files and processor time of other processes, read from Linux's /proc. */
import { readdirSync, readFileSync } from 'node:fs';

const SAMPLE_INTERVAL_MS = 100;
/** The kernel reports processor time in hundredths of a second, whatever its own clock does. */
const CLOCK_TICK_MS = 10;

export interface ProcessMemory {
  readonly residentBytes: number;
  /** The largest resident set since the process started. */
  readonly peakResidentBytes: number;
}

/** @throws Error if the process has ended. */
export function readMemory(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytesOf = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1_024;
  return { residentBytes: bytesOf('VmRSS'), peakResidentBytes: bytesOf('VmHWM') };
}

/** @returns how many file descriptors the process holds, sockets included. @throws Error if it has ended. */
export function countOpenFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/**
 * Processor time is far steadier on a shared machine than the time that passed.
 * @returns milliseconds in user and kernel mode, of all processes together.
 * @throws Error if one of them has ended.
 */
export function processorTimeMs(pids: readonly number[]): number {
  return pids.reduce(
    (sum, pid) => sum + parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8')).ownMs,
    0,
  );
}

export interface ProcessStat {
  readonly pid: number;
  readonly parentPid: number;
  /** Milliseconds in user and kernel mode. */
  readonly ownMs: number;
  /** The same of all descendants that have ended and whose exit was awaited. */
  readonly endedChildrenMs: number;
}

/** @param text the content of /proc/PID/stat. */
export function parseProcessStat(text: string): ProcessStat {
  // The command, in brackets, may contain blanks and brackets, so fields are counted behind the last bracket.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = (index: number) => Number(fields[index]) * CLOCK_TICK_MS;
  return {
    pid: Number.parseInt(text, 10),
    parentPid: Number(fields[1]),
    ownMs: ticks(11) + ticks(12),
    endedChildrenMs: ticks(13) + ticks(14),
  };
}

/**
 * Adds up whole process trees. A process that ends hands its time to its parent, so the sum of a tree never falls, and it
 * contains what PostgreSQL's backends took before they ended.
 * @param roots the processes that each tree consists of, with all their descendants.
 * @returns milliseconds of each tree, in the order of the roots.
 */
export function sumTrees(
  stats: readonly ProcessStat[],
  roots: readonly (readonly number[])[],
): number[] {
  const children = Map.groupBy(stats, ({ parentPid }) => parentPid);
  const byPid = new Map(stats.map((stat) => [stat.pid, stat]));
  const sumOf = (pid: number): number => {
    const { ownMs = 0, endedChildrenMs = 0 } = byPid.get(pid) ?? {};
    const descendants = children.get(pid) ?? [];
    return descendants.reduce((sum, child) => sum + sumOf(child.pid), ownMs + endedChildrenMs);
  };
  return roots.map((pids) => pids.reduce((sum, pid) => sum + sumOf(pid), 0));
}

/**
 * Memory that no other process shares, of a process and all its descendants: PostgreSQL's buffers would else count once for each of
 * its processes.
 * @returns bytes.
 */
export function readPrivateBytes(rootPid: number): number {
  const stats = readProcessTable();
  const children = Map.groupBy(stats, ({ parentPid }) => parentPid);
  const bytesOf = (pid: number): number =>
    (children.get(pid) ?? []).reduce((sum, child) => sum + bytesOf(child.pid), ownBytes(pid));
  return bytesOf(rootPid);
}

function ownBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024;
  } catch {
    return 0;
  }
}

/** Processes of one part of a system by the part's name, such as 'PostgreSQL'. */
export type ProcessGroups = Readonly<Record<string, readonly number[]>>;

export function sumOf(values: Readonly<Record<string, number>>): number {
  return Object.values(values).reduce((sum, value) => sum + value, 0);
}

/** Measures the processor time of process trees from its creation on. */
export class ProcessorWatch {
  readonly #groups: ProcessGroups;
  readonly #startMs: readonly number[];

  constructor(groups: ProcessGroups) {
    this.#groups = groups;
    this.#startMs = this.#read();
  }

  /** @returns microseconds of processor time for each of so many jobs, by the name of the group. */
  microsecondsPer(jobCount: number): Record<string, number> {
    const nowMs = this.#read();
    return Object.fromEntries(
      Object.keys(this.#groups).map((name, index) => [
        name,
        Math.round((((nowMs[index] ?? 0) - (this.#startMs[index] ?? 0)) * 1_000) / jobCount),
      ]),
    );
  }

  #read(): number[] {
    return sumTrees(readProcessTable(), Object.values(this.#groups));
  }
}

/** @returns all processes of this machine. */
function readProcessTable(): ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))];
      } catch {
        // It ended after the folder was listed; its parent has its time.
        return [];
      }
    });
}

/** Samples the resident memory of processes until it is disposed, and remembers the largest of each. */
export class MemoryWatch implements Disposable {
  readonly #pids: readonly number[];
  readonly #peaks: number[];
  readonly #timer: NodeJS.Timeout;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
    this.#peaks = pids.map(() => 0);
    this.#timer = setInterval(() => {
      this.#sample();
    }, SAMPLE_INTERVAL_MS);
  }

  /** The largest resident set of each process until now in bytes, in the order of the process ids. */
  get peakBytes(): readonly number[] {
    this.#sample();
    return this.#peaks;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    for (const [index, pid] of this.#pids.entries()) {
      try {
        this.#peaks[index] = Math.max(this.#peaks[index] ?? 0, readMemory(pid).residentBytes);
      } catch {
        // The process has ended. Whoever watches it learns that from the process itself.
      }
    }
  }
}
