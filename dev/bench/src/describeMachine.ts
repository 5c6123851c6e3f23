/** The machine in a line: a figure without it says nothing. */
import { availableParallelism, cpus, totalmem } from 'node:os';

export function describeMachine(): string {
  const model = cpus()[0]?.model ?? 'unknown';
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} × ${model}, ${memoryGiB} GiB, Node ${process.version}`;
}
