/**
 * Two coaches, one of which has a clock that is 200 s slow. Records whose times came from that clock would make each waiting
 * job stale at once, and put an attempt of the other coach minutes after the wait before it.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { JobRecord } from '@fit/jobs';
import { misplacedRetries } from '../ledger/checkConsistency.ts';
import { mismatch } from '../ledger/mismatch.ts';
import { TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario } from './scenario.ts';
import { attemptsOn, reconciledBy } from './serviceCounts.ts';

const SLOW_CLOCK = pathToFileURL(resolve(import.meta.dirname, '../clock/shiftDate.ts')).href;
/** The clock is 200 s slow. */
const LEAST_SLOWNESS_MS = 190_000;
const TIERS_MS = [3_000, 10_000, 40_000];
/** On a busy machine a retry may start this much later than its tier. */
const TOLERANCE_MS = 5_000;

export const slowClock: Scenario = {
  name: 'slow-clock',
  description:
    'a coach whose clock is 200 s slow beside a right one, failure rate 0.3, stale after 30 s: nothing published again',
  execute: async ({ userCount = 500, report }) => {
    const env = {
      COACH_FAILURE_RATE: '0.3',
      FIT_TIERS: TIERS_MS.map((ms) => `${ms / 1_000}s`).join(),
      FIT_STALE_AFTER_MS: '30000',
      // Small, so that each coach gets its share of a small run.
      COACH_PREFETCH: '20',
    };
    return await TestEnvironment.with({ env, coachCount: 1, report }, async (environment) => {
      const { logPath } = await environment.system.addCoach({
        NODE_OPTIONS: `--import=${SLOW_CLOCK}`,
      });
      const slownessMs = Date.now() - (await lastLogTime(logPath));
      report(`the clock of the second coach is at least ${Math.round(slownessMs / 1_000)} s slow`);
      const startedAt = new Date();
      const runId = await environment.createUsersAndRequestRun(userCount);
      await environment.waitForRun(runId);
      await environment.waitUntilIdle();
      const consistency = await environment.checkConsistency();
      const { jobs } = await environment.readLedger();
      const { monoliths, coaches } = await environment.readMetrics();
      const attempts = attemptsOn(coaches);
      const recordedAttempts = jobs.reduce((sum, { attemptCount }) => sum + attemptCount, 0);
      return {
        consistency,
        figures: {
          attempts,
          attemptsOfSlowClock: attemptsOn(coaches.slice(1)),
          retried: consistency.retried,
        },
        failures: [
          ...brokenGuarantees(consistency),
          ...mismatch('ended jobs', endedCount(consistency), userCount),
          ...mismatch('attempts', attempts, recordedAttempts),
          ...mismatch('jobs published again', reconciledBy(monoliths), 0),
          ...mismatch('jobs of another time', await countBefore(environment, startedAt), 0),
          ...(slownessMs < LEAST_SLOWNESS_MS ? ['no clock was slow'] : []),
          ...coaches.flatMap((coach, index) =>
            attemptsOn([coach]) === 0 ? [`coach ${index + 1} made no attempt`] : [],
          ),
          ...(consistency.retried === 0 ? ['no job was retried'] : []),
          ...misplacedRetries(jobs, TIERS_MS, TOLERANCE_MS).slice(0, 5),
        ],
      };
    });
  },
};

/** @returns the time that the newest line of a log has, in milliseconds since 1970. */
async function lastLogTime(path: string): Promise<number> {
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line.startsWith('{'));
  return (JSON.parse(lines.at(-1) ?? '{}') as { time?: number }).time ?? Number.NaN;
}

function endedCount({ done, dead }: { done: number; dead: Readonly<Record<string, number>> }) {
  return Object.values(dead).reduce((sum, count) => sum + count, done);
}

/** @returns how many jobs have a time before the request of their run; one machine has all processes and the database. */
async function countBefore({ database }: TestEnvironment, startedAt: Date): Promise<number> {
  const jobs = await database.collection<JobRecord>('jobs').find().toArray();
  return jobs.filter(({ createdAt, stateAt, doneAt, death, attempts = [] }) =>
    [createdAt, stateAt, doneAt, death?.at, ...attempts.map((attempt) => attempt.startedAt)].some(
      // The times of attempts are converted from a process's clock and may be inexact by a fraction of a round trip.
      (time) => time !== undefined && time.getTime() < startedAt.getTime() - 1_000,
    ),
  ).length;
}
