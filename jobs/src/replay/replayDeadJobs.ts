/** Replays every dead job that matches a filter at once, in this process. FIT's services use operations, which survive it. */
import { BATCH_LIMIT } from '../record/batch.ts';
import type { ReplayFilter } from '../store/deadJobStore.ts';
import { groupsOf, type ReplayStores, replayGroup } from './replayGroup.ts';

export interface ReplayOptions extends ReplayStores {
  readonly filter: ReplayFilter;
  /** As `ReplayGroup.operationId`. */
  readonly replayId: string;
  /** Called after each group, with the number of jobs that are pending again so far. */
  readonly onProgress: (totalCount: number) => void;
}

/** Jobs in one statement and one batch at most. */
export const GROUP_COUNT = Math.min(500, BATCH_LIMIT);
/** Dead jobs that are read at a time. */
export const READ_COUNT = 5_000;

/**
 * A process that is killed half-way leaves each job either dead, so that the next replay finds it, or pending in a batch that a
 * relay takes once its lease has ended.
 * @returns the number of jobs that are pending again.
 * @throws StoreUnavailable, StatementRefused
 */
export async function replayDead(options: ReplayOptions): Promise<number> {
  const { stores, filter, replayId, onProgress } = options;
  // A job that dies again during this replay has a later time of death, so it is not replayed a second time.
  const diedUntil = await stores.clock.read();
  let number = 0;
  let total = 0;
  for (;;) {
    const found = await stores.dead.next(filter, diedUntil, READ_COUNT);
    if (found.length === 0) return total;
    for (const jobs of groupsOf(found, GROUP_COUNT)) {
      const group = { operationId: replayId, number, jobs, diedUntil };
      total += (await replayGroup(options, group)).replayedIds.length;
      number += 1;
      onProgress(total);
    }
  }
}
