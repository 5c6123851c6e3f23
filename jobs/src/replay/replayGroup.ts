/**
 * Replays one group of dead jobs: makes them pending again, with a new generation, in a batch that the relay publishes without
 * their old headers. Every replay of this system, of one job or of thousands, comes through here.
 */
import type { DeadJob, PayloadEdit } from '../store/deadJobStore.ts';
import type { JobStores } from '../store/jobStores.ts';
import { operationLeaseEndAfter } from '../store/relayLease.ts';
import type { RunStore } from '../store/runStore.ts';

export interface ReplayStores {
  readonly stores: Pick<JobStores, 'batches' | 'dead' | 'runs' | 'clock'>;
  /** Takes jobs out of the counts of their runs; each addition is tried once (`countingRunStore`). */
  readonly countingRuns: RunStore;
}

export interface ReplayGroup {
  /** Names who replays: no two callers that may replay the same job have the same one. At most 100 characters without a colon or a slash. */
  readonly operationId: string;
  /** Number of the group within its operation. A group that is carried out again, since a process was killed, has its first number. */
  readonly number: number;
  /** Jobs of one kind, either all of them urgent or none. */
  readonly jobs: readonly DeadJob[];
  /** Jobs that died later are left alone, so an operation replays no job twice. */
  readonly diedUntil: Date;
  /** Payloads to be stored in place of those of the records. */
  readonly edits?: readonly PayloadEdit[] | undefined;
  /** Trace of the operation; the next publish of each job links to it. */
  readonly traceparent?: string | undefined;
}

/** A job that was selected and not replayed. */
export interface SkippedJob {
  readonly id: string;
  /** Why, as a phrase about the job, such as `is done`. */
  readonly reason: string;
}

export interface ReplayedGroup {
  readonly replayedIds: readonly string[];
  readonly skipped: readonly SkippedJob[];
}

/**
 * The batch is stored first, so that no pending job is without a batch; until the runs have taken the jobs out of their counts it
 * says so, and if this process dies before, the reconciler counts these runs again. Safe to repeat, also in two processes at
 * once: each job is replayed once, and both get the same answer. The jobs of finished runs that skipped them stay counted as dead
 * there, because a run keeps no list of the runs that skipped its jobs.
 * @throws StoreUnavailable, StatementRefused
 */
export async function replayGroup(
  { stores, countingRuns }: ReplayStores,
  { operationId, number, jobs, diedUntil, edits, traceparent }: ReplayGroup,
): Promise<ReplayedGroup> {
  const { batches, dead, runs, clock } = stores;
  const id = `${operationId}:${String(number).padStart(6, '0')}`;
  const ids = jobs.map(({ _id }) => _id).sort();
  const now = clock.now();
  const batch = await batches.insert(
    {
      _id: id,
      runId: operationId,
      kind: jobs[0]?.kind ?? '',
      ...(jobs[0]?.isUrgent === true ? { isUrgent: true as const } : {}),
      ids,
      createdAt: now,
      owner: operationId,
      isUncounted: true,
      ...(traceparent === undefined ? {} : { traceparent }),
    },
    operationLeaseEndAfter(now),
  );
  const change = { operationId, batch: id, diedUntil, edits, traceparent };
  const changedCount = await dead.makePending(ids, change);
  const group =
    changedCount === ids.length
      ? { replayedIds: ids, skipped: [] }
      : await dead.replayedAmong(ids, operationId, diedUntil);
  const replayed = new Set(group.replayedIds);
  if (batch !== undefined) {
    const counted = jobs.filter(({ _id }) => replayed.has(_id));
    await uncount(counted, stores.runs, countingRuns);
  }
  // An earlier try has made the batch, and may have taken the jobs out of the counts or not.
  else for (const runId of new Set(jobs.map((job) => job.runId))) await runs.requestRecount(runId);
  await batches.markCounted(id);
  await batches.release(batch ?? { _id: id, fence: 1 }, 0);
  return group;
}

/** Takes the jobs out of the counts of the runs that created them. */
async function uncount(
  jobs: readonly DeadJob[],
  runs: RunStore,
  countingRuns: RunStore,
): Promise<void> {
  for (const [runId, ofRun] of Map.groupBy(jobs, (job) => job.runId)) {
    const causes: Record<string, number> = {};
    for (const { cause } of ofRun) causes[cause] = (causes[cause] ?? 0) - 1;
    await runs.reopen(runId);
    try {
      await countingRuns.addEnds(runId, { done: 0, dead: -ofRun.length, cancelled: 0, causes });
    } catch {
      // The addition may have arrived or not.
      await runs.requestRecount(runId);
    }
  }
}

/** @returns groups that `replayGroup` takes, at most `size` jobs each; the urgent ones first. */
export function groupsOf(jobs: readonly DeadJob[], size: number): DeadJob[][] {
  const alike = Map.groupBy(
    jobs.toSorted((a, b) => Number(b.isUrgent) - Number(a.isUrgent)),
    ({ kind, isUrgent }) => `${isUrgent} ${kind}`,
  );
  return [...alike.values()].flatMap((some) =>
    Array.from({ length: Math.ceil(some.length / size) }, (_, index) =>
      some.slice(index * size, (index + 1) * size),
    ),
  );
}
