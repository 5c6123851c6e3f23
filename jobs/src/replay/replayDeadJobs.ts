/** A replay makes dead jobs pending again, with a new generation. The relay then publishes them, without their old headers. */
import { setTimeout as pause } from 'node:timers/promises';
import { BATCH_LIMIT } from '../record/batch.ts';
import { FINAL_STATES, type JobState } from '../record/transitions.ts';
import type { DeadJob, ReplayFilter } from '../store/deadJobStore.ts';
import type { JobStores } from '../store/jobStores.ts';
import { operationLeaseEndAfter } from '../store/relayLease.ts';
import type { RunStore } from '../store/runStore.ts';

export interface ReplayOptions {
  readonly stores: JobStores;
  /** Takes jobs out of the counts of their runs; each addition is tried once (`countingRunStore`). */
  readonly countingRuns: RunStore;
  readonly filter: ReplayFilter;
  readonly replayId: string;
  /** Trace of this replay; the next publish of each job links to it. */
  readonly traceparent?: string | undefined;
  /** Jobs per second; undefined: as fast as the store accepts them. */
  readonly ratePerSecond: number | undefined;
  /** Called after each group, with the number of jobs that are pending again so far. */
  readonly onProgress: (totalCount: number) => void;
}

/** What a replay did. */
export interface Replayed {
  /** Jobs that are pending again. */
  readonly count: number;
  /** The batches that publish them, in their order. */
  readonly batches: readonly ReplayedBatch[];
}

export interface ReplayedBatch {
  readonly id: string;
  readonly jobCount: number;
}

/** Jobs in one statement and one batch at most. */
const GROUP_COUNT = Math.min(500, BATCH_LIMIT);
/** Dead jobs that are read at a time; each reading sorts all that match. */
const READ_COUNT = 5_000;

/**
 * Replays every matching dead job. A process that is killed half-way leaves each job either dead, so that the next replay
 * finds it, or pending in a batch that a relay takes once its lease has ended.
 * @throws StoreUnavailable, StatementRefused
 */
export async function replayDead(options: ReplayOptions): Promise<Replayed> {
  const { stores, filter, ratePerSecond, onProgress } = options;
  // A job that dies again during this replay has a later time of death, so it is not replayed a second time.
  const diedBefore = await stores.clock.read();
  const groupCount = Math.min(GROUP_COUNT, Math.max(1, Math.round(ratePerSecond ?? GROUP_COUNT)));
  const batches: ReplayedBatch[] = [];
  let total = 0;
  for (;;) {
    const dead = await stores.dead.next(filter, diedBefore, READ_COUNT);
    if (dead.length === 0) return { count: total, batches };
    for (const group of groupsOf(dead, groupCount)) {
      const startedAt = performance.now();
      const batch = await replayGroup(group, batches.length, options);
      batches.push(batch);
      total += batch.jobCount;
      onProgress(total);
      if (ratePerSecond !== undefined)
        await pause(
          Math.max(0, (group.length / ratePerSecond) * 1_000 - (performance.now() - startedAt)),
        );
    }
  }
}

/** @returns groups of jobs of one kind, either all of them urgent or none; the urgent ones first. */
function groupsOf(jobs: readonly DeadJob[], size: number): DeadJob[][] {
  const groups: DeadJob[][] = [];
  const ofUrgency = [
    jobs.filter(({ isUrgent }) => isUrgent),
    jobs.filter(({ isUrgent }) => !isUrgent),
  ];
  for (const ofKind of ofUrgency.flatMap((some) => [
    ...Map.groupBy(some, ({ kind }) => kind).values(),
  ]))
    for (let from = 0; from < ofKind.length; from += size)
      groups.push(ofKind.slice(from, from + size));
  return groups;
}

/**
 * Makes a group pending. The batch is stored first, so that no pending job is without a batch; until the runs have taken the
 * jobs out of their counts it says so, and if this process dies before, the reconciler counts these runs again. The jobs of
 * finished runs that skipped them stay counted as dead there, because a run keeps no list of the runs that skipped its jobs.
 */
async function replayGroup(
  group: readonly DeadJob[],
  number: number,
  options: ReplayOptions,
): Promise<ReplayedBatch> {
  const { stores, replayId, traceparent } = options;
  const { batches, dead, runs, clock } = stores;
  const id = `${replayId}:${String(number).padStart(6, '0')}`;
  const ids = group.map(({ _id }) => _id).sort();
  const now = clock.now();
  const batch = await batches.insert(
    {
      _id: id,
      runId: replayId,
      kind: group[0]?.kind ?? '',
      ...(group[0]?.isUrgent === true ? { isUrgent: true as const } : {}),
      ids,
      createdAt: now,
      owner: replayId,
      isUncounted: true,
      ...(traceparent === undefined ? {} : { traceparent }),
    },
    operationLeaseEndAfter(now),
  );
  const jobCount = await dead.makePending(ids, id, traceparent);
  if (jobCount === group.length) await uncount(group, options);
  // Another replay has changed some of the jobs, and the store does not say which, so their runs are counted again.
  else for (const runId of new Set(group.map((job) => job.runId))) await runs.requestRecount(runId);
  await batches.markCounted(id);
  // An insert whose answer was lost is found by its repetition; the batch is then the one with the first fence.
  await batches.release(batch ?? { _id: id, fence: 1 }, 0);
  return { id, jobCount };
}

/** Takes the jobs out of the counts of the runs that created them. */
async function uncount(
  group: readonly DeadJob[],
  { stores: { runs }, countingRuns }: ReplayOptions,
): Promise<void> {
  for (const [runId, jobs] of Map.groupBy(group, (job) => job.runId)) {
    const causes: Record<string, number> = {};
    for (const { cause } of jobs) causes[cause] = (causes[cause] ?? 0) - 1;
    await runs.reopen(runId);
    try {
      await countingRuns.addEnds(runId, { done: 0, dead: -jobs.length, cancelled: 0, causes });
    } catch {
      // The addition may have arrived or not.
      await runs.requestRecount(runId);
    }
  }
}

/** The states of a replay's jobs, read batch by batch. */
export class ReplayProgress {
  readonly #stores: JobStores;
  readonly #open: Set<ReplayedBatch>;
  readonly #ended: Partial<Record<JobState, number>> = {};

  constructor(stores: JobStores, batches: readonly ReplayedBatch[]) {
    this.#stores = stores;
    this.#open = new Set(batches.filter(({ jobCount }) => jobCount > 0));
  }

  /** True: every job has reached a final state. */
  get isEnded(): boolean {
    return this.#open.size === 0;
  }

  /**
   * Reads the batches whose jobs have not all ended, at most `OPEN_LIMIT` of them, and takes the jobs of the others for
   * pending; batches end about in the order in which they were made.
   * @returns the number of jobs by state.
   */
  async read(): Promise<Partial<Record<JobState, number>>> {
    const sum: Partial<Record<JobState, number>> = {};
    let openCount = 0;
    for (const batch of this.#open) {
      if (openCount >= OPEN_LIMIT) {
        add(sum, { pending: batch.jobCount });
        continue;
      }
      const [record] = await this.#stores.batches.findAll([batch.id], ['ids']);
      const { states } = await this.#stores.jobs.countAmong(record?.ids ?? []);
      const endedCount = FINAL_STATES.reduce((count, state) => count + (states[state] ?? 0), 0);
      const liveCount = Object.values(states).reduce((count, n) => count + n, 0) - endedCount;
      if (liveCount > 0) {
        openCount += 1;
        add(sum, states);
      } else {
        add(this.#ended, states);
        this.#open.delete(batch);
      }
    }
    add(sum, this.#ended);
    return sum;
  }
}

/** Batches with live jobs that one reading looks at. */
const OPEN_LIMIT = 20;

function add(
  sum: Partial<Record<JobState, number>>,
  states: Partial<Record<JobState, number>>,
): void {
  for (const [state, count] of Object.entries(states) as [JobState, number][])
    sum[state] = (sum[state] ?? 0) + count;
}
