/** One run of a peer: one process enqueues, another one works, as monolith and coach do. */
import { resolve } from 'node:path';
import type { Stack } from '@fit/stack';
import { Redis } from 'ioredis';
import { Client, Pool } from 'pg';
import { processGroups, socketOf } from '../benchEnvironment.ts';
import { BenchProcess } from '../benchProcess.ts';
import { dayNumber } from '../fitRun.ts';
import { ProcessorWatch, sumOf } from '../processUsage.ts';
import { rate } from '../statistics.ts';
import { CONTENDERS, type ContenderId } from './index.ts';
import type { PeerPlace } from './peer.ts';
import { WorkoutTable } from './workoutTable.ts';

const PROCESS_FILE = resolve(import.meta.dirname, 'peerProcess.ts');
const DATABASE_USER = 'fit';

export interface PeerRun {
  readonly jobsPerSecond: number;
  /** From the request to the end of the enqueue call. */
  readonly enqueueMs: number;
  /** Processor time of all servers and both processes, in microseconds for each job. */
  readonly microsecondsPerJob: number;
}

export interface PeerRunOptions {
  readonly jobCount: number;
  /** Jobs before the measured ones, so that the compiler has seen every path. */
  readonly warmUpCount: number;
}

/** @throws Error if a workout is missing at the end. */
export async function measurePeer(
  stack: Stack,
  id: ContenderId,
  { jobCount, warmUpCount }: PeerRunOptions,
): Promise<PeerRun> {
  return await withDatabase(stack, `peer_${id.toLowerCase()}`, async (place) => {
    const pool = new Pool(place.database);
    await WorkoutTable.create(pool);
    const { peer } = CONTENDERS[id];
    await peer.prepare(place);
    const text = JSON.stringify(place);
    const worker = await BenchProcess.start(PROCESS_FILE, [id, 'worker', text]);
    const producer = await BenchProcess.start(PROCESS_FILE, [id, 'producer', text]);
    try {
      const run = async (date: string, count: number): Promise<PeerRun> => {
        const pids = { producer: [producer.pid], worker: [worker.pid] };
        const watch = new ProcessorWatch(processGroups(stack, pids));
        const requestedAt = Date.now();
        const [lastStoredAt, enqueueMs] = await Promise.all([
          worker.ask('store', { count }),
          producer.ask('enqueue', { date, count }).then(() => Date.now() - requestedAt),
        ]);
        const jobsPerSecond = rate(count, Number(lastStoredAt) - requestedAt);
        const microsecondsPerJob = sumOf(watch.microsecondsPer(count));
        const storedCount = await WorkoutTable.count(pool, date);
        if (storedCount !== count)
          throw new Error(`${peer.name} stored ${storedCount} of ${count} workouts`);
        return { jobsPerSecond, enqueueMs, microsecondsPerJob };
      };
      await run(dayNumber(0), warmUpCount);
      await checkpoint(stack);
      return await run(dayNumber(1), jobCount);
    } finally {
      await producer.stop();
      await worker.stop();
      await pool.end();
    }
  });
}

/** Makes PostgreSQL write what earlier work left in memory, so that the next measurement does not pay for it. */
export async function checkpoint(stack: Stack): Promise<void> {
  await withClient(stack, async (client) => {
    await client.query('checkpoint');
  });
}

/** @returns such as 'PostgreSQL 18.6, Redis 8.0.2'. */
export async function describePeerServers(stack: Stack): Promise<string> {
  const redis = new Redis(socketOf(stack, 'redis'));
  const info = await redis.info('server');
  await redis.quit();
  let postgresql = '';
  await withClient(stack, async (client) => {
    const { rows } = await client.query<{ server_version: string }>('show server_version');
    postgresql = rows[0]?.server_version.split(' ')[0] ?? '';
  });
  return `PostgreSQL ${postgresql}, Redis ${/^redis_version:(\S+)/m.exec(info)?.[1] ?? ''}`;
}

async function withDatabase<Result>(
  stack: Stack,
  database: string,
  work: (place: PeerPlace) => Promise<Result>,
): Promise<Result> {
  await withClient(stack, async (client) => {
    await client.query(`create database ${database}`);
  });
  try {
    return await work({
      database: { host: socketOf(stack, 'postgresql'), user: DATABASE_USER, database },
      redisSocket: socketOf(stack, 'redis'),
    });
  } finally {
    await withClient(stack, async (client) => {
      await client.query(`drop database ${database} with (force)`);
    });
  }
}

async function withClient(stack: Stack, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({
    host: socketOf(stack, 'postgresql'),
    user: DATABASE_USER,
    database: 'postgres',
  });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
