/**
 * A workout that the database refuses among 10,000 others. The refusal is a trigger of PostgreSQL, because no request can make
 * a workout that a healthy database refuses.
 */
import { WODS_COLLECTION, wodId } from '@fit/contract';
import { type JobRecord, jobId } from '@fit/jobs';
import { sampleUsers } from '@fit/stack';
import { mismatch } from '../ledger/mismatch.ts';
import { sumOf } from '../metricsPage.ts';
import { FIRST_DATE, TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario } from './scenario.ts';
import { attemptsOn } from './serviceCounts.ts';

const ATTEMPT_COUNT = 4;
const REASON = 'this workout is poison';

export const poisonDocument: Scenario = {
  name: 'poison-document',
  description:
    '10,000 users, the database refuses the workout of one: she is dead with its reason, all others are done, no outage',
  execute: async ({ userCount = 10_000, report }) => {
    const env = { FIT_TIERS: '1s,2s,4s' };
    return await TestEnvironment.with({ env, coachCount: 1, report }, async (environment) => {
      const poisonedId = sampleUsers(userCount)[Math.floor(userCount / 2)]?.id ?? '';
      await refuseWorkout(environment, wodId(poisonedId, FIRST_DATE));
      const runId = await environment.createUsersAndRequestRun(userCount);
      const status = await environment.waitForRun(runId);
      const consistency = await environment.checkConsistency();
      const poisoned = await environment.database
        .collection<JobRecord>('jobs')
        .findOne({ _id: jobId('createWod', wodId(poisonedId, FIRST_DATE)) });
      const { monoliths, coaches } = await environment.readMetrics();
      const services = [...monoliths, ...coaches];
      const reason = poisoned?.death?.reason ?? '';
      report(`the poisoned job is ${poisoned?.state}: ${reason}`);
      return {
        consistency,
        figures: { attempts: attemptsOn(coaches) },
        failures: [
          ...brokenGuarantees(consistency),
          ...mismatch('states', status.states, { done: userCount - 1, dead: 1 }),
          ...mismatch('dead', consistency.dead, { exhausted: 1 }),
          ...mismatch('workouts', consistency.workouts, userCount - 1),
          ...mismatch('the poisoned job', poisoned?.state, 'dead'),
          ...(reason.includes(REASON) ? [] : [`the reason of its death is '${reason}'`]),
          ...mismatch('attempts', attemptsOn(coaches), userCount - 1 + ATTEMPT_COUNT),
          ...mismatch('outages', sumOf(services, 'jobs_store_outages_total'), 0),
        ],
      };
    });
  },
};

/** Makes the database refuse one workout, with `REASON` as its error. */
async function refuseWorkout(
  { database, stack }: TestEnvironment,
  refusedId: string,
): Promise<void> {
  // The table exists once the collection does.
  await database.createCollection(WODS_COLLECTION).catch(() => undefined);
  const table = await stack.psql(
    `select 'documentdb_data.documents_' || collection_id from documentdb_api_catalog.collections
     where database_name = '${database.databaseName}' and collection_name = '${WODS_COLLECTION}'`,
  );
  await stack.psql(`
    create function refuse_poison() returns trigger language plpgsql as
      $$ begin raise exception '${REASON}'; end $$;
    create trigger refuse_poison before insert on ${table.trim()} for each row
      when (documentdb_core.bson_get_value_text(new.document, '_id') = '${refusedId}')
      execute function refuse_poison()`);
}
