/** Finds the jobs whose workout is stored. Both services ask for it, because such a job must never be marked dead. */
import { type WodJob, wodId } from './wodDocument.ts';

/** The collection of workouts, as far as their ids are read. */
interface WodIds {
  findByIds(
    ids: readonly string[],
    fields: readonly string[],
  ): Promise<readonly { readonly _id: string }[]>;
}

/** @returns the ids of the jobs whose workout is stored. */
export async function findStoredWods(
  wods: WodIds,
  jobs: readonly WodJob[],
): Promise<ReadonlySet<string>> {
  const found = await wods.findByIds(
    jobs.map(({ userId, date }) => wodId(userId, date)),
    ['_id'],
  );
  const stored = new Set(found.map(({ _id }) => _id));
  return new Set(
    jobs.filter(({ userId, date }) => stored.has(wodId(userId, date))).map(({ id }) => id),
  );
}
