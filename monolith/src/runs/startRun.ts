/** Starts a run: one request becomes a run and a job record per user, and is answered when all of them are stored. */
import { createHash, randomUUID } from 'node:crypto';
import { type JobRecord, newJob } from '@fit/jobs';
import type { JobStore } from '@fit/jobs/store';
import { Problem } from '@fit/service';
import type { Run, RunStore } from '../store/runStore.ts';
import type { User, UserStore } from '../store/userStore.ts';

export interface RunRequest {
  /** YYYY-MM-DD. Attempts after midnight still make the workout of this day. */
  readonly date: string;
  /** Undefined: every user. */
  readonly userIds: readonly string[] | undefined;
  readonly idempotencyKey: string | undefined;
  /** Trace context of the request; undefined while tracing is off. */
  readonly traceparent: string | undefined;
}

export interface StartRunParts {
  readonly users: UserStore;
  readonly runs: RunStore;
  readonly jobs: JobStore;
  /** The share of jobs that get a trace of their own in a run that is too large for one trace; 0 to 1. */
  readonly largeRunShare: number;
  /** Called after new pending records were stored. */
  readonly onPending: () => void;
}

const GROUP_SIZE = 1_000;
/**
 * The jobs of a run of up to this size share the trace of the request. Of a larger run a share of the jobs get a trace
 * each, linked to the request, because no trace viewer shows a trace of 40,000 spans.
 */
const JOBS_IN_ONE_TRACE = 100;

/**
 * Repeating a request is safe after a failure at any point: the id of the run comes from its key, and the id of each job
 * from user and date.
 * @throws Problem 422 `idempotency_key_reused` if another request had the same key.
 */
export async function startRun(request: RunRequest, parts: StartRunParts): Promise<Run> {
  const run = await parts.runs.insertIfAbsent(newRun(request));
  if (run.requestHash !== requestHash(request))
    throw new Problem({
      status: 422,
      code: 'idempotency_key_reused',
      title: 'Another request had this Idempotency-Key before',
    });
  if (run.accepted !== undefined) return run;
  const accepted = await recordJobs(run, request, parts);
  await parts.runs.markRecorded(run._id, accepted);
  return { ...run, accepted };
}

function newRun(request: RunRequest): Run {
  const { date, userIds, idempotencyKey } = request;
  const id =
    idempotencyKey === undefined ? randomUUID() : `run-${hash(idempotencyKey).slice(0, 24)}`;
  return {
    _id: id,
    date,
    isForEveryone: userIds === undefined,
    requestHash: requestHash(request),
    createdAt: new Date(),
  };
}

async function recordJobs(
  run: Run,
  request: RunRequest,
  parts: StartRunParts,
): Promise<NonNullable<Run['accepted']>> {
  const accepted = { total: 0, created: 0, skipped: 0 };
  for await (const group of parts.users.groups(request.userIds, GROUP_SIZE)) {
    const now = new Date();
    // Groups before this one count too, since the last group of a large run may be small.
    const jobCount = accepted.total + group.length;
    const nextTrace = () => traceOf(request, jobCount, parts.largeRunShare);
    const jobs = group.map((user) => jobOf(user, { run, trace: nextTrace() }, now));
    const { created, skipped } = await parts.jobs.accept(run._id, jobs);
    accepted.total += group.length;
    accepted.created += created;
    accepted.skipped += skipped;
    // The relay publishes the first groups while the next ones are being recorded.
    parts.onPending();
  }
  return accepted;
}

type NewJobTrace = Pick<JobRecord, 'traceparent' | 'tracelinks'>;

/**
 * The trace of a job is chosen before the job is written, so a job that is not traced carries no trace context through
 * the database and the broker.
 * @param jobCount jobs of the run so far.
 */
function traceOf(
  { traceparent }: RunRequest,
  jobCount: number,
  largeRunShare: number,
): NewJobTrace {
  if (traceparent === undefined) return {};
  if (jobCount <= JOBS_IN_ONE_TRACE) return { traceparent };
  return Math.random() < largeRunShare ? { tracelinks: [traceparent] } : {};
}

function jobOf(user: User, { run, trace }: { run: Run; trace: NewJobTrace }, now: Date) {
  const { id: userId, level, equipment, exclusions = [] } = user;
  const { date, _id: runId } = run;
  const payload = { userId, date, level, equipment, exclusions };
  return newJob({ kind: 'createWod', userId, date, runId, payload, trace }, now);
}

function requestHash({ date, userIds }: RunRequest): string {
  return hash(JSON.stringify([date, userIds?.toSorted() ?? null]));
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
