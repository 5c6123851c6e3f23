/** The processor time that processes have used: far steadier on a shared machine than the time that passed. */
import { readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second, whatever its own clock does. */
const TICK_MS = 10;

/** @returns milliseconds in user and kernel mode of all of them; 0 where /proc does not tell. */
export function cpuTimeMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid) * TICK_MS, 0);
}

function ticksOf(pid: number): number {
  try {
    // The command, in brackets, may hold anything; utime and stime are fields 14 and 15, the 12th and 13th behind it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}
