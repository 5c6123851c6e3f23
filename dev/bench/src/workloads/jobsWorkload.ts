/**
 * The whole job compared with a baseline. The baseline is the same messages and documents without FIT: published with confirms,
 * then consumed, then inserted in bulk, one step after the other. A job system that stores what it accepts does all of this.
 */
import { type Channel, type ChannelModel, connect } from 'amqplib';
import type { Db, Document } from 'mongodb';
import { type SystemUnderTest, startSystemUnderTest, withServers } from '../benchEnvironment.ts';
import { measureRun, type RunFigures } from '../measureRun.ts';
import { rate } from '../statistics.ts';
import type { Measurement, Workload } from '../workload.ts';

interface Round {
  /** The run of 1,000 jobs. */
  readonly small: RunFigures;
  readonly large: RunFigures;
  readonly baseline: BaselineFigures;
}

interface BaselineFigures {
  readonly publishMs: number;
  readonly consumeMs: number;
  readonly insertMs: number;
  readonly jobsPerSecond: number;
}

const SMALL_USER_COUNT = 1_000;
const SMALL_DATE = '2026-01-01';
const LARGE_DATE = '2026-01-02';

export const jobs: Workload<'users' | 'runs'> = {
  name: 'jobs',
  description: 'requests workouts, and compares the speed with bare publish, consume and insert',
  options: {
    users: { description: 'users of the large run (the small one has 1000)', default: 10_000 },
    runs: { description: 'rounds, each on new servers', default: 3 },
  },
  measure: async (settings, report) => {
    const rounds: Round[] = [];
    for (let number = 1; number <= settings.runs; number += 1) {
      const round = await withServers(['rabbitmq', 'gateway'], async (stack) => {
        const tested = await startSystemUnderTest(stack, { name: 'jobs' });
        try {
          return await measureRound(tested, settings.users);
        } finally {
          await tested.stop();
        }
      });
      rounds.push(round);
      report(`round ${number} of ${settings.runs}: ${JSON.stringify(round)}`);
    }
    return compare(rounds);
  },
};

async function measureRound(tested: SystemUnderTest, userCount: number): Promise<Round> {
  return {
    small: await measureRun(tested, { userCount: SMALL_USER_COUNT, date: SMALL_DATE }),
    large: await measureRun(tested, { userCount, date: LARGE_DATE }),
    baseline: await measureBaseline(tested),
  };
}

function compare(rounds: readonly Round[]): Measurement {
  const large = (field: keyof RunFigures) => rounds.map((round) => round.large[field]);
  const small = (field: keyof RunFigures) => rounds.map((round) => round.small[field]);
  const baseline = rounds.map((round) => round.baseline.jobsPerSecond);
  const jobCount = rounds[0]?.large.jobCount ?? 0;
  return {
    baselineName: 'without FIT; for memory 1,000 jobs',
    comparisons: [
      {
        name: 'from 202 to last stored workout',
        unit: 'jobs/s',
        measured: large('jobsPerSecondFrom202'),
        baseline,
      },
      {
        name: 'from request to last stored workout',
        unit: 'jobs/s',
        measured: large('jobsPerSecondFromRequest'),
        baseline,
      },
      {
        name: `job record to workout, ${jobCount} jobs at once, p50`,
        unit: 'ms',
        measured: large('latencyP50Ms'),
      },
      { name: 'the same, p99', unit: 'ms', measured: large('latencyP99Ms') },
      {
        name: `job record to workout, ${SMALL_USER_COUNT} jobs at once, p50`,
        unit: 'ms',
        measured: small('latencyP50Ms'),
      },
      { name: 'the same, p99', unit: 'ms', measured: small('latencyP99Ms') },
      {
        name: 'monolith, peak resident memory',
        unit: 'MiB',
        measured: large('monolithPeakMiB'),
        baseline: small('monolithPeakMiB'),
      },
      {
        name: 'coach, peak resident memory',
        unit: 'MiB',
        measured: large('coachPeakMiB'),
        baseline: small('coachPeakMiB'),
      },
    ],
    rounds,
  };
}

const BASELINE_QUEUE = 'bench.baseline';
const BASELINE_UNCONFIRMED = 1_000;
const BASELINE_PREFETCH = 250;
const BASELINE_BATCH = 1_000;

/** Takes the jobs and workouts of the large run as its messages and documents. */
async function measureBaseline({ amqpUrl, database }: SystemUnderTest): Promise<BaselineFigures> {
  const jobRecords = await database.collection('jobs').find({ 'key.date': LARGE_DATE }).toArray();
  const workouts = await database.collection('wods').find({ date: LARGE_DATE }).toArray();
  const bodies = jobRecords.map((record) => Buffer.from(JSON.stringify(messageOf(record))));
  const connection = await connect(amqpUrl, { noDelay: true });
  const publishMs = await timed(() => publishAll(connection, bodies));
  const consumeMs = await timed(() => consumeAll(connection, bodies.length));
  await connection.close();
  const insertMs = await timed(async () => {
    await insertAll(database, 'baselineJobs', jobRecords);
    await insertAll(database, 'baselineWorkouts', workouts);
  });
  const jobsPerSecond = rate(jobRecords.length, publishMs + consumeMs + insertMs);
  return { publishMs, consumeMs, insertMs, jobsPerSecond };
}

/** The body that FIT's relay publishes for this job record. */
function messageOf(record: Document): object {
  return {
    version: 1,
    id: record['_id'] as unknown,
    kind: record['kind'] as unknown,
    generation: record['generation'] as unknown,
    payload: record['payload'] as unknown,
  };
}

async function publishAll(connection: ChannelModel, bodies: readonly Buffer[]): Promise<void> {
  const channel = await connection.createConfirmChannel();
  await assertBaselineQueue(channel);
  for (let index = 0; index < bodies.length; index += BASELINE_UNCONFIRMED) {
    for (const body of bodies.slice(index, index + BASELINE_UNCONFIRMED))
      channel.publish('', BASELINE_QUEUE, body, { persistent: true, mandatory: true });
    await channel.waitForConfirms();
  }
  await channel.close();
}

async function consumeAll(connection: ChannelModel, count: number): Promise<void> {
  const channel = await connection.createChannel();
  await channel.prefetch(BASELINE_PREFETCH);
  await new Promise<void>((resolve, reject) => {
    let consumedCount = 0;
    channel
      .consume(BASELINE_QUEUE, (message) => {
        if (message === null) return;
        channel.ack(message);
        consumedCount += 1;
        if (consumedCount === count) resolve();
      })
      .catch(reject);
  });
  await channel.close();
}

async function assertBaselineQueue(channel: Channel): Promise<void> {
  await channel.assertQueue(BASELINE_QUEUE, {
    durable: true,
    arguments: { 'x-queue-type': 'quorum' },
  });
}

async function insertAll(
  database: Db,
  name: string,
  documents: readonly Document[],
): Promise<void> {
  const collection = database.collection(name);
  for (let index = 0; index < documents.length; index += BASELINE_BATCH)
    await collection.insertMany(documents.slice(index, index + BASELINE_BATCH), { ordered: false });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return Math.round(performance.now() - startedAt);
}
