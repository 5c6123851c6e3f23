/** The whole job compared with the same messages and documents without FIT: a job system that stores what it accepts does all of this. */
import { type SystemUnderTest, startSystemUnderTest, withServers } from '../benchEnvironment.ts';
import { type FloorFigures, measureFloor } from '../measureFloor.ts';
import { measureRun, type RunFigures } from '../measureRun.ts';
import type { Measurement, Workload } from '../workload.ts';

interface Round {
  /** The run of 1,000 jobs. */
  readonly small: RunFigures;
  readonly large: RunFigures;
  readonly baseline: FloorFigures;
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
    baseline: await measureFloor({ ...tested, date: LARGE_DATE }),
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
