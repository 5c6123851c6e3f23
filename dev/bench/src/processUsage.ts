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
  return pids.reduce((sum, pid) => {
    // The command, in brackets, may contain spaces, so fields are counted behind it: utime and stime are the 12th and 13th.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return sum + (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS;
  }, 0);
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
