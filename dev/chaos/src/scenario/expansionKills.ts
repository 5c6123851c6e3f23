/** The monolith is killed ten times while it expands a run: every member has one workout, and no page is recorded twice. */
import { BATCH_LIMIT, type BatchRecord, type RunRecord } from '@fit/jobs';
import { sampleUsers } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { wrongCounts, wrongPages } from '../ledger/checkRun.ts';
import { mismatch } from '../ledger/mismatch.ts';
import { FIRST_DATE, TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario } from './scenario.ts';
import { attemptsOn } from './serviceCounts.ts';

const MOST_KILLS = 10;
/** So many pages at least are expanded between two kills, so that each kill finds the run in another place. */
const PAGES_PER_KILL = 2;
/** Longer than the lease of a killed monolith, and than the start of the next one on a busy machine. */
const EXPANSION_STEP_MS = 120_000;

export const expansionKills: Scenario = {
  name: 'expansion-kills',
  description:
    '50,000 users, the monolith killed 10 times while it expands the run: one workout each, exact counts',
  execute: async ({ userCount = 50_000, report }) =>
    await TestEnvironment.with({ env: {}, coachCount: 1, report }, async (environment) => {
      const killCount = Math.min(
        MOST_KILLS,
        Math.max(1, Math.floor(userCount / (PAGES_PER_KILL * BATCH_LIMIT))),
      );
      await environment.client.createUsers(sampleUsers(userCount));
      const runId = await environment.requestRun(userCount, FIRST_DATE);
      let killsInExpansion = 0;
      for (let kill = 0; kill < killCount; kill += 1) {
        const run = await expandedBeyond(environment, runId, (kill * userCount) / killCount);
        if (run.pageCount !== undefined) break;
        killsInExpansion += 1;
        report(`kill ${killsInExpansion} of ${killCount}: ${run.expanded} jobs are expanded`);
        await environment.system.restartMonolith();
      }
      const status = await environment.waitForRun(runId);
      const consistency = await environment.checkConsistency();
      const { coaches } = await environment.readMetrics();
      const batches = await environment.database
        .collection<BatchRecord>('batches')
        .find({ runId })
        .toArray();
      return {
        consistency,
        figures: {
          killsInExpansion,
          pages: batches.filter(({ page }) => page !== undefined).length,
          // A page whose monolith was killed before its confirms were stored is published again.
          copies: attemptsOn(coaches) - userCount,
        },
        failures: [
          ...brokenGuarantees(consistency),
          ...wrongCounts(status, userCount),
          ...mismatch('workouts', consistency.workouts, userCount),
          ...mismatch('kills during the expansion', killsInExpansion, killCount),
          ...wrongPages(batches, userCount),
        ],
      };
    }),
};

/** Waits until more than this number of jobs is expanded, or the expansion is over. */
async function expandedBeyond(
  { database }: TestEnvironment,
  runId: string,
  count: number,
): Promise<RunRecord> {
  const read = () => database.collection<RunRecord>('runs').findOne({ _id: runId });
  return await eventually(
    async () => {
      const run = await read();
      return run !== null && (run.expanded >= count || run.pageCount !== undefined) && run;
    },
    {
      deadlineMs: EXPANSION_STEP_MS,
      describe: async () => `${count} jobs are not expanded: ${JSON.stringify(await read())}`,
    },
  );
}
