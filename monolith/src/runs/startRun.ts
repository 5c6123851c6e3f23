/** One request → a run and a job record per user. Only when all are durable is the request answered. */
import { createHash, randomUUID } from 'node:crypto';
import { type JobRecord, newJob } from '@fit/jobs';
import type { JobStore } from '@fit/jobs/store';
import { Problem } from '@fit/service';
import type { Run, RunStore } from '../store/runStore.ts';
import type { User } from '../store/user.ts';
import type { UserStore } from '../store/userStore.ts';

export interface RunRequest {
  /** YYYY-MM-DD, fixed here: a retry after midnight still makes this day's workout. */
  readonly date: string;
  /** Undefined: everyone. */
  readonly userIds: readonly string[] | undefined;
  readonly idempotencyKey: string | undefined;
  /** Of the request; undefined where nobody traces. */
  readonly traceparent: string | undefined;
}

export interface StartRunParts {
  readonly users: UserStore;
  readonly runs: RunStore;
  readonly jobs: JobStore;
  /** Of the jobs of a run that is too large for one trace, the share that gets traces of its own; 0 to 1. */
  readonly largeRunShare: number;
  /** New records are pending. */
  readonly onPending: () => void;
}

const GROUP_COUNT = 1_000;
/** Of more jobs than this a share gets a trace each, linked to the request's: no viewer shows one of 40,000 spans. */
const JOBS_IN_ONE_TRACE = 100;

/**
 * Safe to repeat at any point: the run's id comes from its key, each job's id from user and date.
 * @throws Problem 422 `idempotency_key_reused` where the same key came with another request.
 */
export async function startRun(request: RunRequest, parts: StartRunParts): Promise<Run> {
  const run = await parts.runs.open(newRun(request));
  if (run.requestHash !== requestHash(request))
    throw new Problem({
      status: 422,
      code: 'idempotency_key_reused',
      title: 'This Idempotency-Key came with another request before',
    });
  if (run.accepted !== undefined) return run;
  const accepted = await recordJobs(run, request, parts);
  await parts.runs.accept(run._id, accepted);
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
  for await (const group of parts.users.groups(request.userIds, GROUP_COUNT)) {
    const now = new Date();
    // With those before: the last group of a large run may itself be small.
    const jobCount = accepted.total + group.length;
    const nextTrace = () => traceOf(request, jobCount, parts.largeRunShare);
    const jobs = group.map((user) => jobOf(user, { run, trace: nextTrace() }, now));
    const { created, skipped } = await parts.jobs.accept(run._id, jobs);
    accepted.total += group.length;
    accepted.created += created;
    accepted.skipped += skipped;
    // The relay starts on the first group while the next one is being recorded.
    parts.onPending();
  }
  return accepted;
}

type NewJobTrace = Pick<JobRecord, 'traceparent' | 'tracelinks'>;

/**
 * Chosen before anything is written: a job that nobody follows carries no context through the store and the broker.
 * @param jobCount of the run so far.
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
