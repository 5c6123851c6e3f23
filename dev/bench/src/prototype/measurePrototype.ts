/** One run of the bare prototype, with the processor time that it cost. */
import { resolve } from 'node:path';
import type { Stack } from '@fit/stack';
import { processGroups, withBareDatabase } from '../benchEnvironment.ts';
import { BenchProcess } from '../benchProcess.ts';
import { countWods, dayNumber } from '../fitRun.ts';
import { checkpoint } from '../peers/measurePeer.ts';
import { ProcessorWatch } from '../processUsage.ts';
import { rate } from '../statistics.ts';

const PROCESS_FILE = resolve(import.meta.dirname, 'prototypeProcess.ts');

export interface PrototypePlace {
  readonly amqpUrl: string;
  readonly mongodbUrl: string;
}

export interface CostFigures {
  readonly jobsPerSecond: number;
  /** Processor time by part of the system, in microseconds for each job. */
  readonly microsecondsPerJob: Readonly<Record<string, number>>;
}

/** @throws Error if a workout is missing at the end, or a job is not recorded as done. */
export async function measurePrototype(
  stack: Stack,
  { jobCount, warmUpCount }: { readonly jobCount: number; readonly warmUpCount: number },
): Promise<CostFigures> {
  return await withBareDatabase(stack, async ({ amqpUrl, mongodbUrl, database }) => {
    const place: PrototypePlace = { amqpUrl, mongodbUrl };
    const parent = await BenchProcess.start(PROCESS_FILE, ['parent', JSON.stringify(place)]);
    const child = await BenchProcess.start(PROCESS_FILE, ['child', JSON.stringify(place)]);
    try {
      const run = async (date: string, count: number): Promise<number> => {
        const requestedAt = Date.now();
        const [lastDoneAt] = await Promise.all([
          child.ask('work', { count }),
          parent.ask('run', { date, count }),
        ]);
        return Number(lastDoneAt) - requestedAt;
      };
      await run(dayNumber(0), warmUpCount);
      await checkpoint(stack);
      const date = dayNumber(1);
      const groups = processGroups(stack, { monolith: [parent.pid], coach: [child.pid] });
      const watch = new ProcessorWatch(groups);
      const durationMs = await run(date, jobCount);
      const microsecondsPerJob = watch.microsecondsPer(jobCount);
      const [counted, storedCount] = await Promise.all([
        database.collection<{ _id: string; done: number }>('runs').findOne({ _id: date }),
        countWods(database, date),
      ]);
      if (counted?.done !== jobCount || storedCount !== jobCount)
        throw new Error(`the prototype stored ${storedCount}, counted ${counted?.done ?? 0}`);
      return { jobsPerSecond: rate(jobCount, durationMs), microsecondsPerJob };
    } finally {
      await parent.stop();
      await child.stop();
    }
  });
}
