/** Jobs: read one with its attempts, list them by state or run. */
import { JOB_STATES, type JobRecord } from '@fit/jobs';
import type { JobStore } from '@fit/jobs/store';
import { defineRoute, Problem, type Route } from '@fit/service';
import Type, { type Static } from 'typebox';
import { limitOf, listQuery, nextOf } from './keysetList.ts';

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

const Job = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  state: Type.Enum([...JOB_STATES]),
  generation: Type.Integer(),
  runIds: Type.Array(Type.String()),
  payload: Type.Unknown(),
  createdAt: Type.String(),
  stateAt: Type.String(),
  attempts: Type.Array(Attempt),
  deferred: Type.Optional(Type.Object({ reason: Type.String(), count: Type.Integer() })),
  death: Type.Optional(
    Type.Object({
      cause: Type.String(),
      fingerprint: Type.String(),
      reason: Type.String(),
      at: Type.String(),
    }),
  ),
});

const JobId = Type.String({ minLength: 1, maxLength: 200 });

export function jobRoutes(jobs: JobStore): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/jobs/:jobId'],
      access: 'admin',
      params: Type.Object({ jobId: JobId }),
      reply: Job,
      handle: async ({ params }) => {
        const job = await jobs.find(params.jobId);
        if (job !== null) return { body: toReply(job) };
        throw new Problem({
          status: 404,
          code: 'job_not_found',
          title: `There is no job ${params.jobId}`,
        });
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/jobs'],
      access: 'admin',
      query: Type.Object(
        {
          state: Type.Optional(Type.Enum([...JOB_STATES])),
          runId: Type.Optional(Type.String({ maxLength: 100 })),
          ...listQuery(JobId),
        },
        { additionalProperties: false },
      ),
      reply: Type.Object({ jobs: Type.Array(Job), next: Type.Optional(Type.String()) }),
      handle: async ({ query }) => {
        const limit = limitOf(query);
        const found = await jobs.list({ ...query, limit });
        const ids = found.map(({ _id }) => _id);
        return { body: { jobs: found.map(toReply), ...nextOf(ids, limit) } };
      },
    }),
  ];
}

function toReply(job: JobRecord): Static<typeof Job> {
  const { _id: id, kind, state, generation, deferred, death } = job;
  return {
    id,
    kind,
    state,
    generation,
    runIds: [...job.runIds],
    payload: job.payload,
    createdAt: job.createdAt.toISOString(),
    stateAt: job.stateAt.toISOString(),
    attempts: job.attempts.map((attempt) => ({
      ...attempt,
      startedAt: attempt.startedAt.toISOString(),
      endedAt: attempt.endedAt.toISOString(),
    })),
    ...(deferred === undefined ? {} : { deferred }),
    ...(death === undefined ? {} : { death: { ...death, at: death.at.toISOString() } }),
  };
}
