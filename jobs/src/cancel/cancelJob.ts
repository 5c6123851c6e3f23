/** Cancels one job that has not begun. Its message stays on the broker; the worker that gets it discards it. */
import { NO_RUN } from '../record/run.ts';
import type { JobStores } from '../store/jobStores.ts';

/**
 * An attempt that began within the last second counts as not begun: it goes on, and if it succeeds the job is done.
 * @returns false where the job had begun or had ended, or does not exist.
 * @throws StoreUnavailable, StatementRefused; repeating is safe.
 */
export async function cancelJob(
  { jobs, runs, cancellations }: Pick<JobStores, 'jobs' | 'runs' | 'cancellations'>,
  id: string,
): Promise<boolean> {
  await cancellations.note();
  const isCancelled = await jobs.cancelPending(id);
  if (!isCancelled) return false;
  const record = await jobs.find(id);
  // A job of a run counts for it; jobs that were enqueued alone count nowhere.
  if (record !== null && record.runId !== NO_RUN) await runs.requestRecount(record.runId);
  return true;
}
