/** Jobs as readers see them: a pending job whose batch the broker has confirmed is shown as queued. */
import type { BatchRecord } from '../record/batch.ts';
import type { JobRecord } from '../record/jobRecord.ts';
import type { ShownState } from '../record/transitions.ts';
import type { BatchStore } from './batchStore.ts';

/** A job with what its batch says about it. */
export interface ShownJob {
  readonly job: JobRecord;
  readonly state: ShownState;
  /** Why the broker did not take the job, and how often; undefined unless the job is pending. */
  readonly deferred: BatchRecord['deferred'];
}

/** Reads the batches of pending jobs, in one statement. @throws StoreUnavailable, StatementRefused */
export async function showJobs(
  batches: Pick<BatchStore, 'findStates'>,
  jobs: readonly JobRecord[],
): Promise<ShownJob[]> {
  const pending = jobs.filter(({ state }) => state === 'pending');
  const found = await batches.findStates([...new Set(pending.map(({ batch }) => batch))]);
  return jobs.map((job) => showJob(job, found.get(job.batch)));
}

function showJob(job: JobRecord, batch: BatchRecord | undefined): ShownJob {
  if (job.state !== 'pending') return { job, state: job.state, deferred: undefined };
  const isPublished = batch !== undefined && batch.state !== 'open';
  return isPublished
    ? { job, state: 'queued', deferred: undefined }
    : { job, state: 'pending', deferred: batch?.deferred };
}
