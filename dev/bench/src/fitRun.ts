/** Runs of FIT as a client sees them: requested from the API, at their end when the last workout is stored. */
import { type FitClient, followRun } from '@fit/client';
import { WODS_COLLECTION, type WodDocument, wodIdsOf } from '@fit/contract';
import type { SampleUser } from '@fit/stack';
import type { Db } from 'mongodb';
import type { SystemUnderTest } from './benchEnvironment.ts';
import { rate } from './statistics.ts';

const RUN_TIMEOUT_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** The API's limit of named users in one request. */
const NAMED_USERS_LIMIT = 1_000;
const USERS_PER_GROUP = 10_000;
const PARALLEL_GROUPS = 4;

export interface FitRun {
  /** Unix time in milliseconds at which the first request was sent. */
  readonly requestedAt: number;
  /** From sending a request to its answer 202, of each request. */
  readonly acceptMs: readonly number[];
  /** From sending the first request to the last stored workout. */
  readonly durationMs: number;
  readonly jobsPerSecond: number;
}

export interface FitRunOptions {
  /** Another date for every run of a system, because a user gets one workout a day. */
  readonly date: string;
  /** How many workouts the run must store. */
  readonly expectedCount: number;
  /** Undefined: one run for everyone. Else so many requests as the API's limit of named users takes, all at once. */
  readonly userIds?: readonly string[];
  /** Is called when all runs have ended, before their results are read. */
  readonly onEnded?: () => void;
}

export function clientOf({ system }: SystemUnderTest): FitClient {
  return system.client;
}

/** @returns 2026-01-01 and so many days, as YYYY-MM-DD. */
export function dayNumber(count: number): string {
  return new Date(Date.UTC(2026, 0, 1) + count * DAY_MS).toISOString().slice(0, 10);
}

/** Creates users through the API, several requests at a time. Users who exist already are left unchanged. */
export async function createUsers(client: FitClient, users: readonly SampleUser[]): Promise<void> {
  const starts = Array.from(
    { length: Math.ceil(users.length / USERS_PER_GROUP) },
    (_, index) => index * USERS_PER_GROUP,
  );
  const createGroups = async () => {
    for (let start = starts.shift(); start !== undefined; start = starts.shift())
      await client.createUsers(users.slice(start, start + USERS_PER_GROUP));
  };
  await Promise.all(Array.from({ length: PARALLEL_GROUPS }, createGroups));
}

/** @returns how many workouts of a day are stored. It reads the whole collection. */
export async function countWods(database: Db, date: string): Promise<number> {
  return await database
    .collection<WodDocument>(WODS_COLLECTION)
    .countDocuments({ _id: wodIdsOf(date) });
}

/** @throws Error if the run ends without a workout for every user. */
export async function runWods(tested: SystemUnderTest, options: FitRunOptions): Promise<FitRun> {
  const { date, expectedCount, userIds } = options;
  const client = clientOf(tested);
  const bodies = userIds === undefined ? [{ date }] : namedRequests(date, userIds);
  const requestedAt = Date.now();
  const accepted = await Promise.all(
    bodies.map(async (body) => {
      const sentAt = performance.now();
      const { runId } = await client.generateWods(body);
      return { runId, acceptMs: performance.now() - sentAt };
    }),
  );
  for (const { runId } of accepted)
    await followRun({ client, runId, waitMs: RUN_TIMEOUT_MS, onProgress: () => undefined });
  options.onEnded?.();
  const storedCount = await countWods(tested.database, date);
  if (storedCount !== expectedCount)
    throw new Error(`${storedCount} of ${expectedCount} workouts of ${date} were stored`);
  const durationMs = (await readLastDoneAt(tested.database, requestedAt)) - requestedAt;
  return {
    requestedAt,
    acceptMs: accepted.map(({ acceptMs }) => acceptMs),
    durationMs,
    jobsPerSecond: rate(expectedCount, durationMs),
  };
}

function namedRequests(date: string, userIds: readonly string[]): object[] {
  const bodies: object[] = [];
  for (let index = 0; index < userIds.length; index += NAMED_USERS_LIMIT)
    bodies.push({ date, userIds: userIds.slice(index, index + NAMED_USERS_LIMIT) });
  return bodies;
}

/**
 * A job is done after its workout is stored, so this is never earlier than the last workout. `storedAt` of a workout is: the
 * coach sets it before it sends the batch.
 * @param since Unix time in milliseconds; only jobs that were done later count.
 * @returns Unix time in milliseconds at which the last job was done.
 */
async function readLastDoneAt(database: Db, since: number): Promise<number> {
  const [found] = await database
    .collection('jobs')
    .aggregate<{ last: Date }>([
      { $match: { doneAt: { $gte: new Date(since) } } },
      { $group: { _id: null, last: { $max: '$doneAt' } } },
    ])
    .toArray();
  if (found === undefined) throw new Error('no job was done');
  return found.last.getTime();
}
