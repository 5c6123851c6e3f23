/** A job as the API shows it. */
import { findKind } from '@fit/contract';
import { type JobRecord, keyOf, SHOWN_STATES, type ShownState } from '@fit/jobs';
import { type BatchStore, type ResultStore, type ShownJob, showJobs } from '@fit/jobs/store';
import Type, { type Static } from 'typebox';

const Attempt = Type.Object({
  number: Type.Integer(),
  generation: Type.Integer(),
  startedAt: Type.String(),
  endedAt: Type.String(),
  outcome: Type.String(),
  delayMs: Type.Optional(Type.Number()),
  workerId: Type.String(),
  error: Type.Optional(
    Type.Object({ class: Type.String(), message: Type.String(), fingerprint: Type.String() }),
  ),
});

/** The state in the words of common job APIs. */
const STATUSES = {
  pending: 'QUEUED',
  queued: 'QUEUED',
  // A further attempt follows.
  waiting: 'QUEUED',
  running: 'PROCESSING',
  done: 'COMPLETED',
  dead: 'FAILED',
  cancelled: 'CANCELLED',
} as const satisfies Readonly<Record<ShownState, string>>;

export const JobReply = Type.Object(
  {
    id: Type.String(),
    kind: Type.String(),
    /** queued: the broker has the job. pending: it does not yet. */
    state: Type.Enum([...SHOWN_STATES]),
    generation: Type.Integer(),
    /** The run that created the job. */
    runId: Type.String(),
    createdAt: Type.String(),
    stateAt: Type.String(),
    /** Attempts since the last replay. */
    attemptCount: Type.Integer(),
    /** The newest 20 attempts; without the only attempt of a job that succeeded at once. */
    attempts: Type.Array(Attempt),
    doneAt: Type.Optional(Type.String()),
    /** The worker whose attempt finished the job. */
    workerId: Type.Optional(Type.String()),
    deferred: Type.Optional(Type.Object({ reason: Type.String(), count: Type.Integer() })),
    death: Type.Optional(
      Type.Object({
        cause: Type.String(),
        fingerprint: Type.String(),
        reason: Type.String(),
        at: Type.String(),
      }),
    ),
    /** The id once more, as clients of other job APIs expect it; so are `type`, `status`, `created_at` and `updated_at`. */
    jobId: Type.String(),
    type: Type.String(),
    status: Type.Enum([...new Set(Object.values(STATUSES))]),
    /** What the handler returned; null until the job is done, and for kinds without a result. */
    result: Type.Unknown(),
    /** Why the job is dead, or why its last attempt failed; else null. */
    error: Type.Union([Type.String(), Type.Null()]),
    created_at: Type.String(),
    updated_at: Type.String(),
  },
  { title: 'Job' },
);
export type JobReply = Static<typeof JobReply>;

export interface JobReplyParts {
  readonly batches: Pick<BatchStore, 'findStates'>;
  readonly results: Pick<ResultStore, 'findAll'>;
}

/** @returns whether the job is the user's: one that the user submitted, or the one of a workout for the user. */
export function isOwnedBy(
  { _id, owner }: Pick<JobRecord, '_id' | 'owner'>,
  userId: string,
): boolean {
  // The keys of both begin with the user, and no user id has a colon.
  return owner === userId || keyOf(_id).startsWith(`${userId}:`);
}

/** @returns the jobs in their order, each with its result. @throws StoreUnavailable */
export async function jobReplies(
  parts: JobReplyParts,
  jobs: readonly JobRecord[],
): Promise<JobReply[]> {
  return await shownReplies(parts, await showJobs(parts.batches, jobs));
}

/** @throws StoreUnavailable */
export async function replyOf(
  parts: Pick<JobReplyParts, 'results'>,
  shown: ShownJob,
): Promise<JobReply> {
  const [reply] = await shownReplies(parts, [shown]);
  if (reply === undefined) throw new Error('one job has no reply');
  return reply;
}

/** The same for jobs whose states are read already. @throws StoreUnavailable */
export async function shownReplies(
  { results }: Pick<JobReplyParts, 'results'>,
  shown: readonly ShownJob[],
): Promise<JobReply[]> {
  const ids = shown.flatMap(({ job: { _id, kind, state } }) =>
    state === 'done' && findKind(kind)?.result !== undefined ? [_id] : [],
  );
  const found = ids.length === 0 ? new Map<string, unknown>() : await results.findAll(ids);
  return shown.map((job) => toReply(job, found.get(job.job._id)));
}

function toReply({ job, state, deferred }: ShownJob, result: unknown): JobReply {
  const { doneAt, workerId, death, attempts = [] } = job;
  const last = attempts.at(-1);
  const error = death?.reason ?? last?.error?.message ?? last?.reason;
  const [createdAt, stateAt] = [job.createdAt.toISOString(), job.stateAt.toISOString()];
  return {
    id: job._id,
    kind: job.kind,
    state,
    generation: job.generation,
    runId: job.runId,
    createdAt,
    stateAt,
    attemptCount: job.attemptCount,
    attempts: attempts.map((attempt) => ({
      ...attempt,
      startedAt: attempt.startedAt.toISOString(),
      endedAt: attempt.endedAt.toISOString(),
    })),
    ...(doneAt === undefined ? {} : { doneAt: doneAt.toISOString() }),
    ...(workerId === undefined ? {} : { workerId }),
    ...(deferred === undefined ? {} : { deferred }),
    ...(death === undefined ? {} : { death: { ...death, at: death.at.toISOString() } }),
    jobId: job._id,
    type: job.kind,
    status: STATUSES[state],
    result: result ?? null,
    error: state === 'done' ? null : (error ?? null),
    created_at: createdAt,
    updated_at: stateAt,
  };
}
