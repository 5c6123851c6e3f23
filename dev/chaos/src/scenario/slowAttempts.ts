/**
 * Attempts that take long, and many prefetched messages behind them: none counts as lost. The last of 250 jobs of 10 s begins
 * after two minutes and a job is stale after 10 s, so most jobs are in hand for several times the stale limit.
 */

import { wrongCounts } from '../ledger/checkRun.ts';
import { mismatch } from '../ledger/mismatch.ts';
import { TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario } from './scenario.ts';
import { attemptsOn, reconciledBy } from './serviceCounts.ts';

const WORK_MS = 10_000;
const CONCURRENCY = 20;
const STALE_AFTER_MS = 10_000;

export const slowAttempts: Scenario = {
  name: 'slow-attempts',
  description: `250 jobs of ${WORK_MS / 1_000} s on a coach that does ${CONCURRENCY} at a time, stale after ${STALE_AFTER_MS / 1_000} s: one attempt each`,
  execute: async ({ userCount = 250, report }) => {
    const env = {
      COACH_WORK_MS: String(WORK_MS),
      COACH_CONCURRENCY: String(CONCURRENCY),
      FIT_STALE_AFTER_MS: String(STALE_AFTER_MS),
    };
    return await TestEnvironment.with({ env, coachCount: 1, report }, async (environment) => {
      const runId = await environment.createUsersAndRequestRun(userCount);
      const status = await environment.waitForRun(runId);
      await environment.waitUntilIdle();
      const consistency = await environment.checkConsistency();
      const { monoliths, coaches } = await environment.readMetrics();
      const attempts = attemptsOn(coaches);
      return {
        consistency,
        figures: { attempts },
        failures: [
          ...brokenGuarantees(consistency),
          ...wrongCounts(status, userCount),
          ...mismatch('attempts', attempts, userCount),
          ...mismatch('jobs published again', reconciledBy(monoliths), 0),
          ...mismatch('workouts', consistency.workouts, userCount),
        ],
      };
    });
  },
};
