/** One member of the daily run is asked for 25 times more: the daily run ends, and so does each of the other runs. */
import { sampleUsers } from '@fit/stack';
import { mismatch } from '../ledger/mismatch.ts';
import { FIRST_DATE, TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario } from './scenario.ts';
import { attemptsOn } from './serviceCounts.ts';

const REQUEST_COUNT = 25;

export const askedOften: Scenario = {
  name: 'asked-often',
  description: `${REQUEST_COUNT} requests for one member of the daily run: all runs end, with right counts`,
  execute: async ({ userCount = 500, report }) =>
    // Without a coach at first, so that her job is under way during all requests.
    await TestEnvironment.with({ env: {}, coachCount: 0, report }, async (environment) => {
      const members = sampleUsers(userCount);
      const member = members[Math.floor(userCount / 2)]?.id ?? '';
      await environment.client.createUsers(members);
      const dailyId = await environment.requestRun(userCount, FIRST_DATE);
      const runIds: string[] = [];
      for (let count = 0; count < REQUEST_COUNT; count += 1)
        runIds.push(await environment.requestRunFor([member], FIRST_DATE));
      await environment.system.addCoach();
      const daily = await environment.waitForRun(dailyId);
      const others = [];
      for (const runId of runIds) others.push(await environment.waitForRun(runId));
      const consistency = await environment.checkConsistency();
      const { coaches } = await environment.readMetrics();
      const all = [daily, ...others];
      const sum = (name: 'created' | 'skipped') =>
        all.reduce((total, status) => total + status[name], 0);
      return {
        consistency,
        figures: { runs: all.length, skipped: sum('skipped') },
        failures: [
          ...brokenGuarantees(consistency),
          ...mismatch('states of the daily run', daily.states, { done: userCount }),
          ...others.flatMap(({ runId, states, expanded }) =>
            mismatch(`run ${runId}`, { states, expanded }, { states: { done: 1 }, expanded: 1 }),
          ),
          // Which run created her job depends on which recorded it first; exactly one did.
          ...mismatch('created by all runs', sum('created'), userCount),
          ...mismatch('skipped by all runs', sum('skipped'), REQUEST_COUNT),
          ...mismatch('attempts', attemptsOn(coaches), userCount),
          ...mismatch('workouts', consistency.workouts, userCount),
        ],
      };
    }),
};
