/** Whether more processes on the same machine get in each other's way: two monoliths and two coaches against one of each. */
import { type Stack, sampleUsers } from '@fit/stack';
import { withServers, withSystemUnderTest } from '../benchEnvironment.ts';
import { clientOf, createUsers, dayNumber, type FitRun, runWods } from '../fitRun.ts';
import { interleave } from '../interleave.ts';
import { checkpoint } from '../peers/measurePeer.ts';
import { ratioAtLeast, type Workload } from '../workload.ts';

const WARM_UP_COUNT = 5_000;

export const scale: Workload<'runs' | 'users'> = {
  name: 'scale',
  description: 'two monoliths and two coaches against one of each, on the same processors',
  options: {
    runs: { description: 'rounds of about a minute', default: 5 },
    users: { description: 'jobs of each run', default: 20_000, minimum: WARM_UP_COUNT },
  },
  measure: async (settings, report) =>
    await withServers(['rabbitmq', 'gateway'], async (stack) => {
      const sides = {
        one: () => measureSystem(stack, settings.users, 1),
        two: () => measureSystem(stack, settings.users, 2),
      };
      const rounds = await interleave(sides, { roundCount: settings.runs, report });
      return {
        baselineName: 'one of each',
        comparisons: [
          {
            name: 'two monoliths and two coaches, from request to last stored workout',
            unit: 'jobs/s',
            measured: rounds.map(({ two }) => two.jobsPerSecond),
            baseline: rounds.map(({ one }) => one.jobsPerSecond),
            bound: ratioAtLeast(0.95, 1),
          },
        ],
        rounds,
      };
    }),
};

/** @param count of monoliths, and of coaches. Requests go to the first monolith. */
async function measureSystem(stack: Stack, userCount: number, count: number): Promise<FitRun> {
  const options = { monolithCount: count, coachCount: count };
  return await withSystemUnderTest(stack, options, async (tested) => {
    const members = sampleUsers(userCount);
    await createUsers(clientOf(tested), members.slice(0, WARM_UP_COUNT));
    await runWods(tested, { date: dayNumber(0), expectedCount: WARM_UP_COUNT });
    await createUsers(clientOf(tested), members.slice(WARM_UP_COUNT));
    await checkpoint(stack);
    return await runWods(tested, { date: dayNumber(1), expectedCount: userCount });
  });
}
