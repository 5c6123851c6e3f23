/** Cancels a run: no further job of it is recorded, and those of which no attempt has begun are cancelled. */
import { PageCursor } from '../reconcile/pageCursor.ts';
import type { RunRecord } from '../record/run.ts';
import type { JobStores } from '../store/jobStores.ts';
import { RELAY_LEASE_MS } from '../store/relayLease.ts';

type CancellingStores = Pick<JobStores, 'batches' | 'jobs' | 'runs' | 'cancellations' | 'clock'>;

/** A request cancels jobs for this long, in milliseconds; the reconciler cancels the others. */
const REQUEST_MS = 1_000;

/**
 * Marks the run as cancelled, and cancels its jobs at once as far as the time allows. If the process dies after the mark, the
 * reconciler goes on.
 * @returns false where the run is finished, was cancelled before, or does not exist.
 * @throws StoreUnavailable, StatementRefused; the run may be cancelled nevertheless.
 */
export async function cancelRun(stores: CancellingStores, runId: string): Promise<boolean> {
  await stores.cancellations.note();
  if (!(await stores.runs.cancel(runId))) return false;
  const run = await stores.runs.find(runId);
  const startedAtMs = performance.now();
  if (run !== undefined)
    await new CancellationPass(stores, run).proceed(
      () => performance.now() - startedAtMs < REQUEST_MS,
    );
  return true;
}

/**
 * One pass over the pages of a cancelled run. Passes are repeated while the run is active, because the relay that expanded it learns
 * of the cancellation by its next renewal, and may store a page until then. Safe to repeat, also in several processes.
 */
export class CancellationPass {
  readonly #stores: CancellingStores;
  readonly #run: Pick<RunRecord, '_id' | 'fence' | 'pageCount'>;
  readonly #pages: PageCursor;
  /** True: the lease of the relay that expanded the run was over when the pass began, so no page is stored any more. */
  readonly #hasAllPages: boolean;
  #pageCount = 0;

  constructor(
    stores: CancellingStores,
    run: Pick<RunRecord, '_id' | 'fence' | 'pageCount' | 'cancelledAt'>,
  ) {
    this.#stores = stores;
    this.#run = run;
    this.#pages = new PageCursor(stores, run._id);
    const sinceMs = stores.clock.now().getTime() - (run.cancelledAt?.getTime() ?? 0);
    this.#hasAllPages = sinceMs > RELAY_LEASE_MS;
  }

  /**
   * Goes on with the pass. Open batches are taken from their relays, which may wait with them for room in a queue.
   * @returns true once every page is done; false where the time was over before.
   */
  async proceed(isInTime: () => boolean): Promise<boolean> {
    const { batches, jobs, runs } = this.#stores;
    const { _id, pageCount } = this.#run;
    for (;;) {
      if (!isInTime()) return false;
      const ids = await this.#pages.next();
      if (ids.length === 0) break;
      let cancelledCount = 0;
      for (const batch of await batches.findAll(ids, ['ids', 'state'])) {
        cancelledCount += await jobs.cancelAllPending(batch.ids, _id);
        this.#pageCount += 1;
        if (batch.state === 'open') await batches.takeBack(batch._id);
      }
      // The counters of the run do not have these ends.
      if (cancelledCount > 0) await runs.requestRecount(_id);
    }
    if (pageCount === undefined && this.#hasAllPages)
      await runs.endExpansion(this.#run, this.#pageCount);
    return true;
  }
}
