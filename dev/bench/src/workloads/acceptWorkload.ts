/** How long a client waits for the answer 202 to a request for very many members. */
import { sampleUsers } from '@fit/stack';
import { withServers, withSystemUnderTest } from '../benchEnvironment.ts';
import { clientOf, createUsers, dayNumber, type FitRun, runWods } from '../fitRun.ts';
import { round } from '../statistics.ts';
import { measuredBelow, type Workload } from '../workload.ts';

const WARM_UP_COUNT = 1_000;

export const accept: Workload<'runs' | 'users'> = {
  name: 'accept',
  description: 'the time from a request for everyone to its answer 202, and the speed of that run',
  options: {
    runs: { description: 'runs of other dates, one after the other', default: 5 },
    users: { description: 'members', default: 100_000, minimum: WARM_UP_COUNT },
  },
  measure: async (settings, report) =>
    await withServers(['rabbitmq', 'gateway'], async (stack) =>
      withSystemUnderTest(stack, {}, async (tested) => {
        const members = sampleUsers(settings.users);
        await createUsers(clientOf(tested), members.slice(0, WARM_UP_COUNT));
        await runWods(tested, { date: dayNumber(0), expectedCount: WARM_UP_COUNT });
        report(`creating ${settings.users} users …`);
        await createUsers(clientOf(tested), members);
        const rounds: FitRun[] = [];
        for (let number = 1; number <= settings.runs; number += 1) {
          const date = dayNumber(number);
          rounds.push(await runWods(tested, { date, expectedCount: settings.users }));
          report(`run ${number} of ${settings.runs}: ${JSON.stringify(rounds.at(-1))}`);
        }
        return {
          baselineName: 'none',
          comparisons: [
            {
              name: `202 for ${settings.users} members`,
              unit: 'ms',
              measured: rounds.map(({ acceptMs }) => round(Math.max(...acceptMs))),
              bound: measuredBelow(100, 'ms', 50),
            },
            {
              name: 'from request to last stored workout',
              unit: 'jobs/s',
              measured: rounds.map(({ jobsPerSecond }) => jobsPerSecond),
            },
          ],
          rounds,
        };
      }),
    ),
};
