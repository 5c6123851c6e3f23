/** An operator purges the main queue and every wait queue during a run: all workouts are stored, only later. */
import { eventually } from '@fit/stack/testing';
import { connect } from 'amqplib';
import { mismatch } from '../ledger/mismatch.ts';
import { TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario } from './scenario.ts';

export const purge: Scenario = {
  name: 'purge',
  description: 'main and wait queues purged during a run: every workout all the same, later',
  execute: async ({ userCount = 1_000, report }) => {
    const env = {
      COACH_FAILURE_RATE: '0.5',
      FIT_TIERS: '2s,4s,6s',
      FIT_STALE_AFTER_MS: '12000',
      COACH_PREFETCH: '20',
    };
    return await TestEnvironment.with({ env, coachCount: 1, report }, async (environment) => {
      const runId = await environment.createUsersAndRequestRun(userCount);
      await eventually(async () => countWaiting(await environment.readDepths()) > userCount / 10, {
        deadlineMs: 30_000,
        intervalMs: 200,
        describe: async () => JSON.stringify(await environment.readDepths()),
      });
      const purgedCount = await purgeQueues(environment);
      report(`purged ${purgedCount} messages`);
      await environment.waitForRun(runId);
      const exhausted = (await environment.checkConsistency()).dead['exhausted'] ?? 0;
      await environment.restartServices({ COACH_FAILURE_RATE: '0' });
      await environment.replay();
      const consistency = await environment.checkConsistency();
      return {
        consistency,
        figures: { purged: purgedCount, exhausted },
        failures: [
          ...brokenGuarantees(consistency),
          ...mismatch('workouts', consistency.workouts, userCount),
          ...(purgedCount === 0 ? ['no message was purged'] : []),
        ],
      };
    });
  },
};

function countWaiting(depths: Readonly<Record<string, number>>): number {
  return Object.entries(depths)
    .filter(([queue]) => queue.includes('.wait.'))
    .reduce((sum, [, depth]) => sum + depth, 0);
}

async function purgeQueues({ stack, queueNames }: TestEnvironment): Promise<number> {
  const connection = await connect(stack.amqpUrl);
  const channel = await connection.createChannel();
  let purgedCount = 0;
  for (const queue of queueNames.filter((name) => !name.endsWith('.dead')))
    purgedCount += (await channel.purgeQueue(queue)).messageCount;
  await connection.close();
  return purgedCount;
}
