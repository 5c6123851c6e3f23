/** The assignment's profile: a main queue of 100 messages and a TTL of 60 s. Most jobs die, and each record has the cause that killed its job. */
import { setTimeout as delay } from 'node:timers/promises';
import { mismatch } from '../ledger/mismatch.ts';
import { TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario } from './scenario.ts';

/** Longer than the message TTL of 60 s. */
const WITHOUT_COACH_MS = 62_000;

export const assignment: Scenario = {
  name: 'assignment',
  description:
    'FIT_PROFILE=assignment, 1,000 users, a run with a coach and one without: all done or dead, with true causes',
  execute: async ({ userCount = 1_000, report }) => {
    const env = { FIT_PROFILE: 'assignment' };
    return await TestEnvironment.with({ env, coachCount: 1, report }, async (environment) => {
      // With a coach: the jobs that the queue of 100 cannot hold overflow.
      await environment.waitForRun(await environment.createUsersAndRequestRun(userCount));
      const withCoach = await environment.checkConsistency();
      // Without a coach: at most 100 jobs wait in the queue, and expire.
      await environment.system.removeCoach(0, 'stop');
      const runId = await environment.createUsersAndRequestRun(userCount, '2026-01-06');
      report('no coach for a minute, so that the jobs in the queue expire');
      await delay(WITHOUT_COACH_MS);
      await environment.system.addCoach();
      await environment.waitForRun(runId);
      const consistency = await environment.checkConsistency();
      const otherCauses = Object.keys(consistency.dead).filter(
        (cause) => cause !== 'overflowed' && cause !== 'expired',
      );
      const endedCount =
        consistency.done + Object.values(consistency.dead).reduce((sum, count) => sum + count, 0);
      return {
        consistency,
        figures: {
          overflowedWithCoach: withCoach.dead['overflowed'] ?? 0,
          expired: consistency.dead['expired'] ?? 0,
        },
        failures: [
          ...brokenGuarantees(consistency),
          ...mismatch('done or dead', endedCount, 2 * userCount),
          ...mismatch('other causes', otherCauses, []),
          ...(consistency.dead['expired'] ? [] : ['no job expired']),
          ...(consistency.dead['overflowed'] ? [] : ['no job overflowed']),
        ],
      };
    });
  },
};
