/** Jobs: list them, read one with its timeline and payload, retry and cancel it. */
import { randomUUID } from 'node:crypto';
import { createWod, JOB_KINDS, wodId } from '@fit/contract';
import { cancelJob, replayDead } from '@fit/jobs';
import {
  type JobStores,
  type RunStore,
  SCANNED_JOBS,
  type ShownJob,
  showJobs,
} from '@fit/jobs/store';
import {
  defineRoute,
  OPERATORS,
  ownerLimit,
  Problem,
  type ProblemKind,
  READERS,
  type Route,
} from '@fit/service';
import Type from 'typebox';
import { JobCount, JobId, jobListQuery, type ListedKind, listJobs } from '../jobs/jobList.ts';
import { JobPayload, shownPayload } from '../jobs/jobPayload.ts';
import { isOwnedBy, JobReply, replyOf, shownReplies } from '../jobs/jobReply.ts';
import { jobTimeline, Timeline } from '../jobs/jobTimeline.ts';

export interface JobRouteParts
  extends Pick<
    JobStores,
    'jobs' | 'dead' | 'batches' | 'runs' | 'cancellations' | 'clock' | 'results'
  > {
  /** Takes a retried job out of the counts of its run (`countingRunStore`). */
  readonly countingRuns: RunStore;
  /** Lets the relay of this process look for work at once. */
  readonly wakeRelay: () => void;
}

const JOB_NOT_DEAD = {
  status: 409,
  code: 'job_not_dead',
  when: 'the job is not dead, so it is not retried; the member `state` of the answer says what it is',
  remedy:
    'Read the job with GET /jobs/{jobId}. A cancelled job of a run is taken over by POST /runs/{runId}/rerun.',
} as const satisfies ProblemKind;

const JOB_NOT_CANCELLABLE = {
  status: 409,
  code: 'job_not_cancellable',
  when: 'an attempt of the job has begun, or the job has ended; the member `state` of the answer says which',
  remedy:
    'Only jobs that are pending or queued, and of which no attempt has begun, can be cancelled.',
} as const satisfies ProblemKind;

const LISTED_KINDS: readonly ListedKind[] = JOB_KINDS.map(({ name, payload }) => ({
  kind: name,
  payloadFields: Object.keys(payload.properties),
  ...(name === createWod.name ? { keyPrefixOf: (userId: string) => wodId(userId, '') } : {}),
}));

const JobDetail = Type.Object(
  { ...JobReply.properties, timeline: Timeline },
  { title: 'JobDetail' },
);

const JOB_NOT_FOUND = {
  status: 404,
  code: 'job_not_found',
  when: 'no job has this id, or a member asks for a job of somebody else',
  remedy: 'GET /jobs lists the jobs. Ended jobs are deleted after FIT_JOB_RETENTION_DAYS.',
} as const satisfies ProblemKind;

export function jobRoutes(parts: JobRouteParts): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/jobs/:jobId'],
      access: [...READERS, 'own'],
      summary: 'Read a job with its attempts',
      tag: 'Jobs',
      params: Type.Object({ jobId: JobId }),
      reply: JobDetail,
      problems: [JOB_NOT_FOUND],
      handle: async ({ params, caller }) => {
        const shown = await requireJob(params.jobId, ownerLimit(caller), parts);
        const { batch } = shown.job;
        const publishedAt = (await parts.batches.findStates([batch])).get(batch)?.publishedAt;
        const reply = await replyOf(parts, shown);
        return { body: { ...reply, timeline: jobTimeline(shown.job, publishedAt) } };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/jobs/:jobId/payload'],
      access: [...READERS, 'own'],
      summary: 'Read the payload of a job, up to 64 KiB',
      description:
        'Of a longer payload `head` has the first 64 KiB; GET /jobs/{jobId}/payload.json has the whole.',
      tag: 'Jobs',
      params: Type.Object({ jobId: JobId }),
      reply: JobPayload,
      problems: [JOB_NOT_FOUND],
      handle: async ({ params, caller }) => {
        const { job } = await requireJob(params.jobId, ownerLimit(caller), parts);
        return { body: shownPayload(job._id, job.payload) };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/jobs/:jobId/payload.json'],
      access: [...READERS, 'own'],
      summary: 'Download the whole payload of a job',
      tag: 'Jobs',
      params: Type.Object({ jobId: JobId }),
      reply: Type.Unknown(),
      problems: [JOB_NOT_FOUND],
      handle: async ({ params, caller }) => {
        const { job } = await requireJob(params.jobId, ownerLimit(caller), parts);
        return {
          headers: {
            'content-type': 'application/json; charset=utf-8',
            'content-disposition': 'attachment; filename="payload.json"',
          },
          // A payload may be a text or null, which would be sent as they are and not as JSON.
          body: JSON.stringify(job.payload),
        };
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/jobs/:jobId/retry'],
      access: OPERATORS,
      summary: 'Give a dead job all its attempts again',
      tag: 'Jobs',
      params: Type.Object({ jobId: JobId }),
      idempotencyKey: 'kept',
      reply: JobReply,
      problems: [JOB_NOT_FOUND, JOB_NOT_DEAD],
      audit: { action: 'job.retry', target: ({ params }) => ({ job: params.jobId }) },
      handle: async ({ params }) => {
        const replayedCount = await replayDead({
          stores: parts,
          countingRuns: parts.countingRuns,
          filter: { ids: [params.jobId] },
          replayId: `retry-${randomUUID()}`,
          onProgress: parts.wakeRelay,
        });
        const after = await requireJob(params.jobId, undefined, parts);
        if (replayedCount > 0) return { body: await replyOf(parts, after) };
        throw new Problem({
          ...JOB_NOT_DEAD,
          title: `The job ${params.jobId} is ${after.state}`,
          members: { state: after.state },
        });
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/jobs/:jobId/cancel'],
      access: OPERATORS,
      summary: 'Cancel a job that has not begun',
      description:
        'An attempt that began within the last second counts as not begun: it goes on, and if it succeeds the job is done after all.',
      tag: 'Jobs',
      params: Type.Object({ jobId: JobId }),
      idempotencyKey: 'kept',
      reply: JobReply,
      problems: [JOB_NOT_FOUND, JOB_NOT_CANCELLABLE],
      audit: { action: 'job.cancel', target: ({ params }) => ({ job: params.jobId }) },
      handle: async ({ params }) => {
        const isCancelled = await cancelJob(parts, params.jobId);
        const job = await requireJob(params.jobId, undefined, parts);
        if (isCancelled) return { body: await replyOf(parts, job) };
        throw new Problem({
          ...JOB_NOT_CANCELLABLE,
          title: `The job ${params.jobId} is ${job.state}`,
          members: { state: job.state },
        });
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/jobs'],
      access: [...READERS, 'own'],
      summary: 'List the jobs that match every given condition',
      description: `In the order of their ids, for a run in the order of its users' ids; members see the jobs that they submitted.
A reply may have fewer jobs than \`limit\`, and even none, and still have \`next\`: only its absence means that no more jobs follow.
Jobs of a user, of a run and of the states running, waiting and dead are found by an index; for other conditions a request looks at
${SCANNED_JOBS} jobs, so a rare one takes several requests.`,
      tag: 'Jobs',
      query: jobListQuery(LISTED_KINDS),
      reply: Type.Object({
        jobs: Type.Array(JobReply),
        count: JobCount,
        next: Type.Optional(Type.String()),
      }),
      handle: async ({ query, caller }) => {
        const { jobs, count, next } = await listJobs(parts, query, {
          kinds: LISTED_KINDS,
          owner: ownerLimit(caller),
        });
        return {
          body: {
            jobs: await shownReplies(parts, jobs),
            count,
            ...(next === undefined ? {} : { next }),
          },
        };
      },
    }),
  ];
}

/** @throws Problem 404 `job_not_found`, also where the job does not belong to the user to whom the caller is restricted. */
async function requireJob(
  id: string,
  owner: string | undefined,
  { jobs, batches }: JobRouteParts,
): Promise<ShownJob> {
  const job = await jobs.find(id);
  const isShown = job !== null && (owner === undefined || isOwnedBy(job, owner));
  const [shown] = isShown ? await showJobs(batches, [job]) : [];
  if (shown !== undefined) return shown;
  throw new Problem({ ...JOB_NOT_FOUND, title: `There is no job ${id}` });
}
