/** Jobs: read one with its attempts, list them by state or run. */
import { wodJobOf } from '@fit/contract';
import {
  type BatchRecord,
  type JobRecord,
  type JobState,
  SHOWN_STATES,
  type ShownState,
} from '@fit/jobs';
import { type BatchStore, type JobStore, type ShownJob, showJobs } from '@fit/jobs/store';
import {
  defineRoute,
  ownerLimit,
  Problem,
  type ProblemKind,
  READERS,
  type Route,
} from '@fit/service';
import Type, { type Static } from 'typebox';
import { limitOf, listQuery } from './keysetList.ts';

export interface JobRouteParts {
  readonly jobs: Pick<JobStore, 'find' | 'findAll' | 'list'>;
  readonly batches: Pick<BatchStore, 'findStates' | 'pageOf' | 'pageAfter'>;
}

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

const Job = Type.Object(
  {
    id: Type.String(),
    kind: Type.String(),
    /** queued: the broker has the job. pending: it does not yet. */
    state: Type.Enum([...SHOWN_STATES]),
    generation: Type.Integer(),
    /** The run that created the job. */
    runId: Type.String(),
    payload: Type.Unknown(),
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
  },
  { title: 'Job' },
);

const JOB_NOT_FOUND = {
  status: 404,
  code: 'job_not_found',
  when: 'no job has this id, or a member asks for a job of somebody else',
  remedy: 'GET /jobs lists the jobs. Ended jobs are deleted after FIT_JOB_RETENTION_DAYS.',
} as const satisfies ProblemKind;

const JobId = Type.String({ minLength: 1, maxLength: 200 });

/** Jobs that one request reads at most, where few of them have the state that it asks for. */
const READ_LIMIT = 2_000;

export function jobRoutes(parts: JobRouteParts): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/jobs/:jobId'],
      access: [...READERS, 'own'],
      summary: 'Read a job with its attempts',
      tag: 'Jobs',
      params: Type.Object({ jobId: JobId }),
      reply: Job,
      problems: [JOB_NOT_FOUND],
      handle: async ({ params, caller }) => {
        const job = await parts.jobs.find(params.jobId);
        const owner = ownerLimit(caller);
        const isShown = job !== null && (owner === undefined || job.owner === owner);
        const [shown] = isShown ? await showJobs(parts.batches, [job]) : [];
        if (shown !== undefined) return { body: toReply(shown) };
        throw new Problem({
          ...JOB_NOT_FOUND,
          title: `There is no job ${params.jobId}`,
        });
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/jobs'],
      access: READERS,
      summary: 'List the jobs, by state or run',
      description:
        "In the order of their ids, for a run in the order of its users' ids. A reply may have fewer jobs than `limit`, and even none, and still have `next`: only its absence means that no more jobs follow.",
      tag: 'Jobs',
      query: Type.Object(
        {
          state: Type.Optional(Type.Enum([...SHOWN_STATES])),
          runId: Type.Optional(Type.String({ maxLength: 100 })),
          ...listQuery(JobId),
        },
        { additionalProperties: false },
      ),
      reply: Type.Object({ jobs: Type.Array(Job), next: Type.Optional(Type.String()) }),
      handle: async ({ query }) => {
        const { state, runId, after } = query;
        const limit = limitOf(query);
        const read =
          runId === undefined
            ? await readJobs(parts, { state, after, limit })
            : await readJobsOfRun(parts, { runId, state, after, limit });
        return {
          body: {
            jobs: read.jobs.map(toReply),
            ...(read.next === undefined ? {} : { next: read.next }),
          },
        };
      },
    }),
  ];
}

interface JobListQuery {
  readonly state: ShownState | undefined;
  /** Id of the last job that was read before. */
  readonly after: string | undefined;
  readonly limit: number;
}

interface ReadJobs {
  readonly jobs: readonly ShownJob[];
  /** Id of the last job that was read, shown or not; undefined where no more jobs follow. */
  readonly next?: string;
}

async function readJobs(
  { jobs, batches }: JobRouteParts,
  { state, after, limit }: JobListQuery,
): Promise<ReadJobs> {
  const { jobs: found, next } = await jobs.list({
    ...(state === undefined ? {} : { state: storedState(state) }),
    ...(after === undefined ? {} : { after }),
    limit,
  });
  return {
    jobs: inState(await showJobs(batches, found), state),
    ...(next === undefined ? {} : { next }),
  };
}

/** Follows the pages of the run, because no index leads from a run to its jobs. */
async function readJobsOfRun(
  { jobs, batches }: JobRouteParts,
  { runId, state, after, limit }: JobListQuery & { readonly runId: string },
): Promise<ReadJobs> {
  const shown: ShownJob[] = [];
  let last = after ?? '';
  let readCount = 0;
  let page = await batches.pageOf(runId, wodJobOf({ _id: last }).userId);
  while (page !== undefined) {
    // The last page that was read is read on behind its last job; the order of jobs' ids holds only within a page.
    const isBegun = page.ids.includes(last);
    for (const ids of chunksOf(page, { behind: isBegun ? last : '', size: limit })) {
      const found = [...(await jobs.findAll(ids)).values()];
      for (const job of inState(await showJobs(batches, found), state)) {
        if (shown.length === limit) return { jobs: shown, next: last };
        shown.push(job);
        last = job.job._id;
      }
      last = ids.at(-1) ?? last;
      readCount += ids.length;
      if (shown.length === limit || readCount >= READ_LIMIT) return { jobs: shown, next: last };
    }
    page = await batches.pageAfter(page);
  }
  return { jobs: shown };
}

function chunksOf(
  { ids }: BatchRecord,
  { behind, size }: { readonly behind: string; readonly size: number },
): string[][] {
  const rest = ids.filter((id) => id > behind);
  return Array.from({ length: Math.ceil(rest.length / size) }, (_, index) =>
    rest.slice(index * size, (index + 1) * size),
  );
}

/** Whether a pending job is queued is known only from its batch. */
function storedState(state: ShownState): JobState {
  return state === 'queued' ? 'pending' : state;
}

function inState(jobs: readonly ShownJob[], wanted: ShownState | undefined): readonly ShownJob[] {
  return wanted === undefined ? jobs : jobs.filter(({ state }) => state === wanted);
}

function toReply({ job, state, deferred }: ShownJob): Static<typeof Job> {
  const { doneAt, workerId, death, attempts = [] }: JobRecord = job;
  return {
    id: job._id,
    kind: job.kind,
    state,
    generation: job.generation,
    runId: job.runId,
    payload: job.payload,
    createdAt: job.createdAt.toISOString(),
    stateAt: job.stateAt.toISOString(),
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
  };
}
