/** One run of the whole system: from the request to the last stored workout. */
import { followRun } from '@fit/client';
import { wodIdsOf } from '@fit/contract';
import { sampleUsers } from '@fit/stack';
import type { SystemUnderTest } from './benchEnvironment.ts';
import { MemoryWatch } from './processUsage.ts';
import { quantile, rate } from './statistics.ts';

export interface RunFigures {
  readonly jobCount: number;
  /** The time from the answer 202 to the last stored workout. */
  readonly jobsPerSecondFrom202: number;
  /** The same from sending the request, so that the time for recording the jobs is included. */
  readonly jobsPerSecondFromRequest: number;
  /** The time from the creation of a job record to its workout. */
  readonly latencyP50Ms: number;
  readonly latencyP99Ms: number;
  /** Largest resident set of each process during the run. */
  readonly monolithPeakMiB: number;
  readonly coachPeakMiB: number;
}

export interface RunOptions {
  readonly userCount: number;
  /** Another date for every run of a system, because a user gets one workout a day. */
  readonly date: string;
}

interface JobTimes {
  readonly createdAt: Date;
  readonly doneAt: Date;
}

const RUN_TIMEOUT_MS = 600_000;
const BYTES_PER_MIB = 1_024 * 1_024;
/** The API's limit of named users in one request; a larger run is for everyone. */
const NAMED_USERS_LIMIT = 1_000;

/** @throws Error if the run ends without a workout for every user. */
export async function measureRun(
  { system, database, pids }: SystemUnderTest,
  { userCount, date }: RunOptions,
): Promise<RunFigures> {
  const { client } = system;
  const users = sampleUsers(userCount);
  await client.createUsers(users);
  using memory = new MemoryWatch(pids);
  const requestedAt = Date.now();
  const { runId } = await client.generateWods(
    userCount <= NAMED_USERS_LIMIT ? { date, userIds: users.map(({ id }) => id) } : { date },
  );
  const acceptedAt = Date.now();
  const status = await followRun({
    client,
    runId,
    waitMs: RUN_TIMEOUT_MS,
    onProgress: () => undefined,
  });
  const [monolithPeak = 0, coachPeak = 0] = memory.peakBytes;
  if (status.states['done'] !== userCount)
    throw new Error(`not every workout was stored: ${JSON.stringify(status)}`);
  const times = await database
    .collection('jobs')
    .find<JobTimes>({ _id: wodIdsOf(date) }, { projection: { createdAt: 1, doneAt: 1 } })
    .toArray();
  // Not Math.max(...times): arguments are passed on the stack, which overflows at 120,000 jobs.
  const lastDoneAt = times.reduce((last, { doneAt }) => Math.max(last, doneAt.getTime()), 0);
  const latenciesMs = times.map(({ createdAt, doneAt }) => doneAt.getTime() - createdAt.getTime());
  return {
    jobCount: userCount,
    jobsPerSecondFrom202: rate(userCount, lastDoneAt - acceptedAt),
    jobsPerSecondFromRequest: rate(userCount, lastDoneAt - requestedAt),
    latencyP50Ms: quantile(latenciesMs, 0.5),
    latencyP99Ms: quantile(latenciesMs, 0.99),
    monolithPeakMiB: Math.round(monolithPeak / BYTES_PER_MIB),
    coachPeakMiB: Math.round(coachPeak / BYTES_PER_MIB),
  };
}
