/** The operation: one request to replay dead jobs, which the monoliths carry out part by part, whatever process dies. */
import type { ReplayFilter, SkippedJob } from '@fit/jobs';
import type { DeadJob } from '@fit/jobs/store';

/**
 * - `running`: parts follow at its pace. `paused`: none until somebody resumes it.
 * - `completed`: every selected job is replayed or skipped, or the limit is reached.
 * - `aborted`: somebody ended it; what was replayed stays so.
 * - `failed`: a job cannot be replayed as the operation says; `failure` says why.
 */
export const OPERATION_STATES = ['running', 'paused', 'completed', 'aborted', 'failed'] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

/** How a job that was replayed ended; `pending`: not yet. `deleted`: its record does not exist any more. */
export const REPLAY_OUTCOMES = [
  'pending',
  'succeeded',
  'failedAgain',
  'cancelled',
  'deleted',
] as const;
export type ReplayOutcome = (typeof REPLAY_OUTCOMES)[number];
export type OutcomeCounts = Readonly<Record<ReplayOutcome, number>>;

export const NO_OUTCOMES: OutcomeCounts = {
  pending: 0,
  succeeded: 0,
  failedAgain: 0,
  cancelled: 0,
  deleted: 0,
};

/** What an operation is to do; fixed when it is stored. */
export interface OperationRequest {
  /** The selection as it was requested, as JSON, because the database would change some names of fields. */
  readonly selection: string;
  readonly filter: ReplayFilter;
  /** Only jobs that died no later: jobs that die after the request, or again, stay out. */
  readonly diedUntil: Date;
  /** Number of jobs that matched when the operation was stored. */
  readonly matched: number;
  /** Jobs per second; absent: as many as the database takes. */
  readonly ratePerSecond?: number | undefined;
  /** Jobs that are replayed at most; absent: all. */
  readonly limit?: number | undefined;
  /** Pauses by itself once this many jobs are replayed; absent: it does not. */
  readonly pauseAfter?: number | undefined;
  /** JSON merge patch (RFC 7396) of the payloads, as JSON. */
  readonly edit?: string | undefined;
  readonly reason: string;
  /** The account that requested it; absent: somebody at the command line. */
  readonly accountId?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** Jobs of one kind that are replayed by one statement. */
export interface OperationPart {
  /** Counted from 0. */
  readonly number: number;
  readonly jobs: readonly DeadJob[];
  /** Of a first part without jobs: selected jobs that cannot be replayed. */
  readonly skipped?: readonly SkippedJob[];
}

export interface OperationRecord extends OperationRequest {
  /** At most 100 characters without a colon or a slash, because it names batches. */
  readonly _id: string;
  readonly createdAt: Date;
  readonly state: OperationState;
  /** When the state changed. */
  readonly stateAt: Date;
  readonly failure?: string;
  /** True until it has ended and every job that it replayed has ended as well. */
  readonly isActive: boolean;
  /** The part that is carried out now, or that a process was killed in. */
  readonly part?: OperationPart;
  /** Number of the part after it. Each part is taken by a write that asks for its number, so no two processes take the same one. */
  readonly nextPart: number;
  /** When that part may begin. */
  readonly nextAt: Date;
  readonly replayed: number;
  readonly skipped: number;
  /** Every job of the parts below this number has ended; `outcomes` counts them. */
  readonly settledParts: number;
  readonly outcomes: OutcomeCounts;
}

/** A part that is carried out: what became of each of its jobs. */
export interface PartRecord {
  /** `<operation>:<number>` with six digits, as the batch that publishes its jobs. */
  readonly _id: string;
  readonly number: number;
  readonly replayedIds: readonly string[];
  readonly skipped: readonly SkippedJob[];
  /** How the replayed jobs ended, in the order of `replayedIds`; absent until all of them have. */
  readonly ends?: readonly ReplayOutcome[];
  readonly at: Date;
}

export function partId(operationId: string, number: number): string {
  return `${operationId}:${String(number).padStart(6, '0')}`;
}

/** Most jobs of a part. */
const PART_LIMIT = 500;
/** The same with an edit: one statement has all of the new payloads, each of up to 60 KiB. */
const EDITED_PART_LIMIT = 100;

/** How many jobs a part has, and the time from its begin to that of the next one. */
export interface Pace {
  readonly size: number;
  readonly intervalMs: number;
}

/** Parts come once a second; below one job a second less often, and where a part would be too large more often. */
export function paceOf({
  ratePerSecond,
  edit,
}: Pick<OperationRequest, 'ratePerSecond' | 'edit'>): Pace {
  const limit = edit === undefined ? PART_LIMIT : EDITED_PART_LIMIT;
  if (ratePerSecond === undefined) return { size: limit, intervalMs: 0 };
  const size = Math.min(limit, Math.max(1, Math.round(ratePerSecond)));
  return { size, intervalMs: (size / ratePerSecond) * 1_000 };
}
