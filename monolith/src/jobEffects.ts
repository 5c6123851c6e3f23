/** The effects of jobs by kind: workouts of `createWod`, results of all other kinds. */
import { createWod, JOB_KINDS, wodJobOf } from '@fit/contract';
import { type JobEffects, type JobRecord, keyOf, type RetentionPolicy } from '@fit/jobs';
import { ResultStore, type StoreDatabase } from '@fit/jobs/store';
import { UserStore } from './store/userStore.ts';

/** @param database with the limits of background tasks. */
export function openJobEffects(database: StoreDatabase): JobEffects {
  const workouts = new UserStore(database);
  const results = new ResultStore(database);
  const isWorkout = ({ kind }: Pick<JobRecord, 'kind'>) => kind === createWod.name;
  return {
    findStored: async (jobs) => {
      const withWorkouts = jobs.filter(isWorkout);
      const withResults = jobs.filter((job) => !isWorkout(job)).map(({ _id }) => _id);
      const found = await Promise.all([
        withWorkouts.length === 0 ? [] : workouts.findStoredWods(withWorkouts.map(wodJobOf)),
        withResults.length === 0 ? [] : results.findStored(withResults),
      ]);
      return new Set(found.flatMap((ids) => [...ids]));
    },
    // The id of a workout is the key of its job, that of a result the id of its job.
    idsOf: (kind, jobIds) => (isWorkout({ kind }) ? jobIds.map(keyOf) : jobIds),
    delete: async (kind, ids) =>
      await (isWorkout({ kind }) ? workouts.deleteWods(ids) : results.delete(ids)),
  };
}

/**
 * Results are kept as long as their jobs, since only the job shows them; workouts have a time of their own.
 * @param jobDays returns the setting that is in force.
 */
export function resultRetention(jobDays: () => number): Record<string, RetentionPolicy> {
  const policy: RetentionPolicy = {
    get jobDays() {
      return jobDays();
    },
    get effectDays() {
      return jobDays();
    },
  };
  const kinds = JOB_KINDS.filter(({ name }) => name !== createWod.name);
  return Object.fromEntries(kinds.map(({ name }) => [name, policy]));
}
