/** What one user waits for: a job on an idle system, from the request to its stored workout. */
import { setTimeout as delay } from 'node:timers/promises';
import { sampleUsers } from '@fit/stack';
import { type Db, MongoClient } from 'mongodb';
import { type SystemUnderTest, withServers, withSystemUnderTest } from '../benchEnvironment.ts';
import { clientOf, createUsers, dayNumber } from '../fitRun.ts';
import { quantile, round } from '../statistics.ts';
import { type Measurement, measuredBelow, type Workload } from '../workload.ts';

const WARM_UP_COUNT = 100;
const POLL_MS = 1;
const JOB_TIMEOUT_MS = 60_000;
/** Between two jobs, at random within the bounds, so that the requests meet no timer of the system always at the same phase. */
const PAUSE_MS = { from: 100, below: 300 };

interface JobTimes {
  /** From sending the request, in milliseconds. */
  readonly acceptedMs: number;
  readonly visibleMs: number;
  /** To the time that the coach writes into the workout, before it stores it. */
  readonly storedAtMs: number;
}

type Round = Readonly<Record<keyof JobTimes, { readonly p50: number; readonly p99: number }>>;

export const single: Workload<'runs' | 'jobs'> = {
  name: 'single',
  description: 'one job on an idle system, from the request to its stored workout',
  options: {
    runs: { description: 'rounds of about a minute', default: 3 },
    jobs: { description: 'jobs of each round, one after the other', default: 200 },
  },
  measure: async (settings, report) =>
    await withServers(['rabbitmq', 'gateway'], async (stack) =>
      withSystemUnderTest(stack, {}, async (tested) => {
        const { href } = new URL(`/${tested.database.databaseName}`, stack.mongodbUrl);
        await using client = new MongoClient(href, { maxPoolSize: 1 });
        const users = sampleUsers(Math.max(settings.jobs, WARM_UP_COUNT)).map(({ id }) => id);
        await createUsers(clientOf(tested), sampleUsers(users.length));
        await measureJobs(tested, client.db(), users.slice(0, WARM_UP_COUNT), dayNumber(0));
        const rounds: Round[] = [];
        for (let number = 1; number <= settings.runs; number += 1) {
          const ids = users.slice(0, settings.jobs);
          const times = await measureJobs(tested, client.db(), ids, dayNumber(number));
          rounds.push(summarize(times));
          report(`round ${number} of ${settings.runs}: ${JSON.stringify(rounds.at(-1))}`);
        }
        return toMeasurement(rounds);
      }),
    ),
};

async function measureJobs(
  tested: SystemUnderTest,
  database: Db,
  userIds: readonly string[],
  date: string,
): Promise<JobTimes[]> {
  const times: JobTimes[] = [];
  for (const userId of userIds) {
    times.push(await measureJob(tested, database, { userId, date }));
    await delay(PAUSE_MS.from + Math.random() * (PAUSE_MS.below - PAUSE_MS.from));
  }
  return times;
}

async function measureJob(
  tested: SystemUnderTest,
  database: Db,
  { userId, date }: { readonly userId: string; readonly date: string },
): Promise<JobTimes> {
  const wods = database.collection<{ _id: string; storedAt: Date }>('wods');
  const sentAtMs = performance.timeOrigin + performance.now();
  const now = () => performance.timeOrigin + performance.now();
  const accepted = clientOf(tested)
    .generateWods({ date, userIds: [userId] })
    .then(() => now() - sentAtMs);
  const find = () => wods.findOne({ _id: `${userId}:${date}` }, { projection: { storedAt: 1 } });
  let stored = await find();
  while (stored === null) {
    if (now() - sentAtMs > JOB_TIMEOUT_MS) throw new Error(`no workout of ${userId} was stored`);
    await delay(POLL_MS);
    stored = await find();
  }
  const visibleMs = now() - sentAtMs;
  return {
    acceptedMs: await accepted,
    visibleMs,
    storedAtMs: stored.storedAt.getTime() - sentAtMs,
  };
}

function summarize(times: readonly JobTimes[]): Round {
  const of = (field: keyof JobTimes) => {
    const values = times.map((time) => time[field]);
    return { p50: round(quantile(values, 0.5)), p99: round(quantile(values, 0.99)) };
  };
  return {
    acceptedMs: of('acceptedMs'),
    visibleMs: of('visibleMs'),
    storedAtMs: of('storedAtMs'),
  };
}

function toMeasurement(rounds: readonly Round[]): Measurement {
  const figure = (name: string, field: keyof JobTimes, share: 'p50' | 'p99') => ({
    name: `${name}, ${share}`,
    unit: 'ms',
    measured: rounds.map((figures) => figures[field][share]),
  });
  return {
    baselineName: 'none',
    comparisons: [
      {
        ...figure('request to stored workout', 'visibleMs', 'p50'),
        bound: measuredBelow(30, 'ms', 15),
      },
      {
        ...figure('request to stored workout', 'visibleMs', 'p99'),
        bound: measuredBelow(80, 'ms', 40),
      },
      figure('request to 202', 'acceptedMs', 'p50'),
      figure('request to 202', 'acceptedMs', 'p99'),
      figure('request to the coach’s storedAt', 'storedAtMs', 'p50'),
      figure('request to the coach’s storedAt', 'storedAtMs', 'p99'),
    ],
    rounds,
    notes: [
      'A workout counts as stored when a connection of its own reads it; it asks again 1 ms after each answer. So the figure contains up to one such query, about 2 ms, and the processor time of the queries. The coach’s storedAt is taken before the workout is sent to the database: the truth is between both.',
    ],
  };
}
