/** What the fault campaign and its tests share with the benchmark. */
export { countOpenFiles, MemoryWatch, readMemory } from './processUsage.ts';
export { median, round } from './statistics.ts';
