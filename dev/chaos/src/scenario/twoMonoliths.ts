/**
 * Two monoliths publish, and the broker stands still for 20 s in the middle. Neither may take the other's batches for
 * abandoned, and no late confirm may count as a lost one: both would publish messages twice.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { WODS_COLLECTION } from '@fit/contract';
import { sampleUsers } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { wrongCounts } from '../ledger/checkRun.ts';
import { mismatch } from '../ledger/mismatch.ts';
import { type MetricsPage, sumOf } from '../metricsPage.ts';
import { TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario } from './scenario.ts';
import { attemptsOn, reconciledBy } from './serviceCounts.ts';

/** Twice the time after which a confirm counts as late by default; shorter than the broker's heartbeats allow. */
const STOPPED_MS = 20_000;
/** One run for each monolith. */
const DATES = ['2026-01-05', '2026-01-06'];

export const twoMonoliths: Scenario = {
  name: 'two-monoliths',
  description:
    'two monoliths with a run of 5,000 users each, the broker stopped for 20 s: each message published once',
  execute: async ({ userCount = 5_000, report }) => {
    const options = { env: {}, coachCount: 1, monolithCount: DATES.length, report };
    return await TestEnvironment.with(options, async (environment) => {
      const { database, stack } = environment;
      await environment.client.createUsers(sampleUsers(userCount));
      const runIds: string[] = [];
      for (const [monolith, date] of DATES.entries())
        runIds.push(await environment.requestRun(userCount, date, undefined, monolith));
      const countStored = () => database.collection(WODS_COLLECTION).countDocuments();
      await eventually(async () => (await countStored()) > 0, {
        deadlineMs: 120_000,
        describe: async () => `${await countStored()} workouts`,
      });
      const unconfirmed = await stopWhileUnconfirmed(environment);
      report(`the broker is stopped for ${STOPPED_MS / 1_000} s; ${await countStored()} workouts`);
      await delay(STOPPED_MS);
      await stack.kill('rabbitmq', 'SIGCONT');
      const statuses = [];
      for (const runId of runIds) statuses.push(await environment.waitForRun(runId));
      await environment.waitUntilIdle();
      const consistency = await environment.checkConsistency();
      const { monoliths, coaches } = await environment.readMetrics();
      const jobCount = userCount * DATES.length;
      const figures = {
        unconfirmed,
        published: monoliths.map(countPublished),
        attempts: attemptsOn(coaches),
        redelivered: sumOf(coaches, 'jobs_redelivered_total'),
      };
      return {
        consistency,
        figures: {
          ...figures,
          published: figures.published.reduce((sum, count) => sum + count, 0),
        },
        failures: [
          ...brokenGuarantees(consistency),
          ...statuses.flatMap((status) => wrongCounts(status, userCount)),
          ...mismatch('workouts', consistency.workouts, jobCount),
          ...mismatch(
            'messages published by each monolith',
            figures.published,
            DATES.map(() => userCount),
          ),
          ...mismatch('attempts', figures.attempts, jobCount),
          ...mismatch('jobs published again', reconciledBy(monoliths), 0),
        ],
      };
    });
  },
};

/**
 * Stops the broker at a moment when confirms are missing: stops it, and lets it go on where none is.
 * @returns how many are missing.
 */
async function stopWhileUnconfirmed(environment: TestEnvironment): Promise<number> {
  return await eventually(
    async () => {
      await environment.stack.kill('rabbitmq', 'SIGSTOP');
      const { monoliths } = await environment.readMetrics();
      const unconfirmed = sumOf(monoliths, 'jobs_publish_pending');
      if (unconfirmed > 0) return unconfirmed;
      await environment.stack.kill('rabbitmq', 'SIGCONT');
      return false;
    },
    {
      deadlineMs: 60_000,
      intervalMs: 100,
      describe: () => 'the broker had confirmed everything each time that it was stopped',
    },
  );
}

/** @returns how many publishes were sent, whatever became of them. */
function countPublished(monolith: MetricsPage): number {
  return sumOf([monolith], 'jobs_published_total');
}
