/** Samples the resident set of processes and keeps the largest. */
import { readFileSync } from 'node:fs';

const SAMPLE_MS = 100;

export interface MemoryWatch {
  /** @returns MiB by name. */
  stop(): Record<string, number>;
}

/** @param pids by name; Linux only, elsewhere every figure is 0. */
export function watchMemory(pids: Readonly<Record<string, number>>): MemoryWatch {
  const largest: Record<string, number> = {};
  const sample = () => {
    for (const [name, pid] of Object.entries(pids))
      largest[name] = Math.max(largest[name] ?? 0, residentMiB(pid));
  };
  sample();
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    stop: () => {
      clearInterval(timer);
      sample();
      return largest;
    },
  };
}

function residentMiB(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1_024);
  } catch {
    return 0;
  }
}
