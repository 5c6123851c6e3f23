/**
 * Coaches are killed every two seconds, broker, database and monolith once each; no job is lost, and
 * none is dead-lettered as `crashed`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { mismatch } from '../ledger/mismatch.ts';
import { TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario } from './scenario.ts';

const KILL_INTERVAL_MS = 2_000;
/** The pause before a kill, so that handlers are running when the coach is killed. */
const WORK_BEFORE_KILL_MS = 300;
const ROUND_COUNT = 12;
const DAY_COUNT = 10;
const RESTART_AFTER_MS = 500;

export const kills: Scenario = {
  name: 'kills',
  description: '2,000 jobs; coaches killed every 2 s, broker, database and monolith once each',
  execute: async ({ userCount = 2_000, report }) => {
    // Small batches and a share of failures, so that at every kill there are jobs in every stage.
    const env = {
      FIT_TIERS: '1s,2s,4s',
      FIT_STALE_AFTER_MS: '15000',
      COACH_PREFETCH: '5',
      COACH_CONCURRENCY: '1',
      COACH_FAILURE_RATE: '0.05',
    };
    return await TestEnvironment.with({ env, coachCount: 2, report }, async (environment) => {
      const jobsPerDay = Math.ceil(userCount / DAY_COUNT);
      const runIds: string[] = [];
      for (let round = 0; round < ROUND_COUNT; round += 1) {
        if (round < DAY_COUNT)
          runIds.push(await requestUntilAccepted(environment, jobsPerDay, round));
        await delay(WORK_BEFORE_KILL_MS);
        await environment.system.removeCoach(0, 'kill');
        if (round === 3) await killServer(environment, 'rabbitmq');
        if (round === 6) await killServer(environment, 'postgresql');
        if (round === 9) {
          report('killing the monolith');
          await environment.system.restartMonolith();
        }
        await environment.system.addCoach();
        report(`round ${round + 1} of ${ROUND_COUNT}: a coach was killed and another started`);
        await delay(KILL_INTERVAL_MS - WORK_BEFORE_KILL_MS);
      }
      for (const runId of runIds) await environment.waitForRun(runId);
      // 0.05 to the fourth: about one job in 160,000 is exhausted by its own failures, and the replay is for it.
      const before = await environment.checkConsistency();
      if (Object.keys(before.dead).length > 0) await environment.replay();
      const consistency = await environment.checkConsistency();
      const crashedCount = before.dead['crashed'] ?? 0;
      return {
        consistency,
        figures: { coachKills: ROUND_COUNT, crashed: crashedCount },
        failures: [
          ...brokenGuarantees(consistency),
          ...mismatch('workouts', consistency.workouts, jobsPerDay * DAY_COUNT),
          ...mismatch('jobs dead-lettered as crashed', crashedCount, 0),
        ],
      };
    });
  },
};

/** Repeats a request that was refused, as it is while the database is down: a refused request has started nothing. */
async function requestUntilAccepted(
  environment: TestEnvironment,
  userCount: number,
  round: number,
): Promise<string> {
  const date = `2026-01-${String(round + 1).padStart(2, '0')}`;
  for (;;) {
    try {
      return await environment.createUsersAndRequestRun(userCount, date);
    } catch (error) {
      environment.report(`the run was not accepted, asking again: ${String(error)}`);
      await delay(1_000);
    }
  }
}

async function killServer(
  { stack, report }: TestEnvironment,
  name: 'rabbitmq' | 'postgresql',
): Promise<void> {
  report(`killing ${name}`);
  await stack.kill(name);
  await delay(RESTART_AFTER_MS);
  await stack.restart(name);
}
