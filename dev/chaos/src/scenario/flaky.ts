/** A fifth of all attempts fails: every workout is stored in the end, and each retry comes at its declared tier. */
import { misplacedRetries } from '../ledger/checkConsistency.ts';
import { mismatch } from '../ledger/mismatch.ts';
import { TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario } from './scenario.ts';

const TIERS_MS = [5_000, 30_000, 120_000];
/** On a busy machine a retry may start this much later than its tier. */
const TOLERANCE_MS = 5_000;

export const flaky: Scenario = {
  name: 'flaky',
  description: '1,000 users, failure rate 0.2: 1,000 workouts, retries at the declared tiers',
  execute: async ({ userCount = 1_000, report }) => {
    const env = { COACH_FAILURE_RATE: '0.2' };
    return await TestEnvironment.with({ env, coachCount: 1, report }, async (environment) => {
      await environment.waitForRun(await environment.createUsersAndRequestRun(userCount));
      const { jobs } = await environment.readLedger();
      const misplaced = misplacedRetries(jobs, TIERS_MS, TOLERANCE_MS);
      const before = await environment.checkConsistency();
      // 0.2 to the fourth: one or two of a thousand jobs fail four times, and the replay is for these.
      const exhaustedCount = before.dead['exhausted'] ?? 0;
      await environment.restartServices({ COACH_FAILURE_RATE: '0' });
      const exitCode = exhaustedCount > 0 ? await environment.replay() : 0;
      const consistency = await environment.checkConsistency();
      return {
        consistency,
        figures: { exhausted: exhaustedCount, retried: before.retried },
        failures: [
          ...brokenGuarantees(consistency),
          ...mismatch('workouts', consistency.workouts, userCount),
          ...mismatch('exit code of the replay', exitCode, 0),
          ...(before.retried === 0 ? ['no job was retried'] : []),
          ...misplaced.slice(0, 5),
        ],
      };
    });
  },
};
