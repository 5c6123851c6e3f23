/** The whole path: one request, every workout stored; speed, latency and memory, read from the records themselves. */
import { FitClient, followRun } from '@fit/client';
import { type System, sampleUsers } from '@fit/stack';
import type { Db } from 'mongodb';
import { quantile, rate } from './statistics.ts';
import { watchMemory } from './watchMemory.ts';

export interface FitFigures {
  readonly jobs: number;
  /** From the 202 to the last workout stored. */
  readonly perSecondFrom202: number;
  /** From sending the request, so recording the jobs counts too. */
  readonly perSecondFromRequest: number;
  /** From the job's record to its workout, milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  /** Largest resident set during the run, MiB. */
  readonly memoryMiB: { readonly monolith: number; readonly coach: number };
}

interface Times {
  readonly createdAt: Date;
  readonly doneAt: Date;
}

const WAIT_MS = 600_000;

/** @param date of the run; another one for each call, since a member gets one workout a day. */
export async function measureFit(
  system: System,
  database: Db,
  { userCount, date }: { userCount: number; date: string },
): Promise<FitFigures> {
  const client = new FitClient(system.monolith.url, system.adminToken);
  const userIds = sampleUsers(userCount).map(({ id }) => id);
  await client.createUsers(sampleUsers(userCount));
  const memory = watchMemory({
    monolith: system.monolith.child.pid,
    coach: system.coaches[0]?.child.pid ?? 0,
  });
  const askedAt = Date.now();
  // Everyone for the large run; a named thousand for the small one, within the route's limit.
  const body = userCount <= 1_000 ? { date, userIds } : { date };
  const { runId } = await client.generateWods(body);
  const acceptedAt = Date.now();
  const status = await followRun({ client, runId, waitMs: WAIT_MS, onProgress: () => undefined });
  const memoryMiB = memory.stop();
  if (status.states['done'] !== userCount)
    throw new Error(`not every workout was stored: ${JSON.stringify(status)}`);
  const times = await timesOf(database, date);
  // Not spread into Math.max: its arguments are on the stack, which 120,000 jobs overflow.
  const lastDoneAt = times.reduce((last, { doneAt }) => Math.max(last, doneAt.getTime()), 0);
  const latencies = times
    .map(({ createdAt, doneAt }) => doneAt.getTime() - createdAt.getTime())
    .sort((a, b) => a - b);
  return {
    jobs: userCount,
    perSecondFrom202: rate(userCount, lastDoneAt - acceptedAt),
    perSecondFromRequest: rate(userCount, lastDoneAt - askedAt),
    latencyMs: { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) },
    memoryMiB: { monolith: memoryMiB['monolith'] ?? 0, coach: memoryMiB['coach'] ?? 0 },
  };
}

async function timesOf(database: Db, date: string): Promise<Times[]> {
  return await database
    .collection('jobs')
    .find<Times>({ 'key.date': date }, { projection: { createdAt: 1, doneAt: 1 } })
    .toArray();
}
