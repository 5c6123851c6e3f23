/** What became of the jobs that an operation has replayed, by their records. */
import type { JobRecord, SkippedJob } from '@fit/jobs';
import type { JobStore } from '@fit/jobs/store';
import {
  NO_OUTCOMES,
  type OperationRecord,
  type OutcomeCounts,
  type PartRecord,
  type ReplayOutcome,
} from './operation.ts';
import type { OperationStore } from './store/operationStore.ts';

export interface OutcomeStores {
  readonly operations: Pick<OperationStore, 'parts'>;
  readonly jobs: Pick<JobStore, 'findReplays'>;
}

/** @returns the outcome of each job, in the order of the ids. */
export async function outcomesOf(
  jobs: Pick<JobStore, 'findReplays'>,
  operationId: string,
  ids: readonly string[],
): Promise<ReplayOutcome[]> {
  const found = await jobs.findReplays(ids);
  return ids.map((id) => outcomeOf(found.get(id), operationId));
}

/** No I/O. @param job undefined: there is no record. */
export function outcomeOf(
  job: Pick<JobRecord, 'state' | 'generation' | 'replays'> | undefined,
  operationId: string,
): ReplayOutcome {
  if (job === undefined) return 'deleted';
  const replay = job.replays?.find((each) => each.operationId === operationId);
  // The record of a job that was made again after the first one was deleted.
  if (replay === undefined && job.generation === 1) return 'deleted';
  // A later generation begins only where this one has died.
  if (replay === undefined || job.generation > replay.generation) return 'failedAgain';
  if (job.state === 'done') return 'succeeded';
  if (job.state === 'dead') return 'failedAgain';
  return job.state === 'cancelled' ? 'cancelled' : 'pending';
}

/** Parts, and jobs of these, that one answer counts by their records; those of later parts count as pending. */
const PARTS_LIMIT = 200;
const JOBS_LIMIT = 5_000;

/** @returns how the replayed jobs ended, and whether every one of them was looked at. */
export async function countOutcomes(
  { operations, jobs }: OutcomeStores,
  operation: Pick<OperationRecord, '_id' | 'settledParts' | 'outcomes' | 'replayed'>,
): Promise<{ readonly counts: OutcomeCounts; readonly isExact: boolean }> {
  const counts: Record<ReplayOutcome, number> = { ...NO_OUTCOMES, ...operation.outcomes };
  const parts = await operations.parts(operation._id, operation.settledParts, PARTS_LIMIT);
  const open = parts.flatMap(({ replayedIds }) => replayedIds).slice(0, JOBS_LIMIT);
  for (const outcome of await outcomesOf(jobs, operation._id, open)) counts[outcome] += 1;
  const counted = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const missing = Math.max(0, operation.replayed - counted);
  return { counts: { ...counts, pending: counts.pending + missing }, isExact: missing === 0 };
}

/** One job of an operation. */
export interface JobOutcome {
  readonly jobId: string;
  readonly outcome: ReplayOutcome | 'skipped';
  /** Why it was skipped. */
  readonly reason?: string;
}

/** Where a list of outcomes goes on: part, and position in it. */
export interface OutcomePosition {
  readonly part: number;
  readonly index: number;
}

/** Parts that are read at a time: those of a slow operation have one job each. */
const PAGE_PARTS = 50;

/** @returns outcomes from a position on, in the order in which the jobs were replayed; `next` is undefined at the end. */
export async function listOutcomes(
  stores: OutcomeStores,
  operationId: string,
  { from, limit }: { readonly from: OutcomePosition; readonly limit: number },
): Promise<{ readonly outcomes: JobOutcome[]; readonly next: OutcomePosition | undefined }> {
  const outcomes: JobOutcome[] = [];
  let { part: number, index } = from;
  for (;;) {
    const parts = await stores.operations.parts(operationId, number, PAGE_PARTS);
    for (const part of parts) {
      const end = index + limit - outcomes.length;
      outcomes.push(...(await outcomesIn(stores, operationId, part, index, end)));
      if (end < part.replayedIds.length + part.skipped.length)
        return { outcomes, next: { part: part.number, index: end } };
      number = part.number + 1;
      index = 0;
    }
    if (parts.length < PAGE_PARTS) return { outcomes, next: undefined };
    if (outcomes.length === limit) return { outcomes, next: { part: number, index } };
  }
}

/** @returns the outcomes of a part between two positions: first the replayed jobs, then the skipped ones. */
async function outcomesIn(
  { jobs }: OutcomeStores,
  operationId: string,
  { replayedIds, skipped, ends }: PartRecord,
  from: number,
  to: number,
): Promise<JobOutcome[]> {
  const ids = replayedIds.slice(from, to);
  const known = ends?.slice(from, to) ?? (await outcomesOf(jobs, operationId, ids));
  const count = replayedIds.length;
  return [
    ...ids.map((jobId, index) => ({ jobId, outcome: known[index] ?? ('pending' as const) })),
    ...skipped.slice(Math.max(0, from - count), Math.max(0, to - count)).map(skippedOutcome),
  ];
}

function skippedOutcome({ id, reason }: SkippedJob): JobOutcome {
  return { jobId: id, outcome: 'skipped', reason };
}
