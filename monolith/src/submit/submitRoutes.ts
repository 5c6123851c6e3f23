/** Submitting jobs: one, or up to 1,000 at a time. */
import {
  compileCheck,
  currentTraceparent,
  defineRoute,
  INVALID_INPUT,
  ownerLimit,
  Problem,
  ProblemSchema,
  type Route,
} from '@fit/service';
import Type, { type Static } from 'typebox';
import { JobReply, type JobReplyParts, jobReplies } from '../jobs/jobReply.ts';
import { USER_NOT_FOUND } from '../routes/userRoutes.ts';
import { type JobRequest, JobRequestBody } from './jobRequest.ts';
import type { JobSubmitter, PlacedRequest } from './jobSubmitter.ts';

export interface SubmitRouteParts extends JobReplyParts {
  readonly submitter: JobSubmitter;
}

const BATCH_LIMIT = 1_000;
/** Far below what all bodies of a process may take together (BODY_BUDGET_BYTES). */
const BATCH_LIMIT_BYTES = 2 * 1_024 * 1_024;

const ACCESS = ['operator', 'admin', 'service', 'own'] as const;
const DESCRIPTION = `Answered once the job is stored; from then on nothing loses it. Members submit for themselves: a \`createWod\` without
\`userId\` makes the own workout, without \`date\` that of today, and answers with the job that makes it already, if there is one. A job of the
priority \`high\` passes all others of its kind.`;

const BatchItem = Type.Object(
  {
    /** Position in the request, from 0. */
    index: Type.Integer({ minimum: 0 }),
    job: Type.Optional(JobReply),
    problem: Type.Optional(ProblemSchema),
  },
  { title: 'BatchItem' },
);

type BatchItem = Static<typeof BatchItem>;

const requestCheck = compileCheck(JobRequestBody);

export function submitRoutes(parts: SubmitRouteParts): Route[] {
  return [
    defineRoute({
      method: 'post',
      paths: ['/jobs'],
      access: ACCESS,
      summary: 'Submit a job',
      description: DESCRIPTION,
      tag: 'Jobs',
      body: JobRequestBody,
      idempotencyKey: 'kept',
      reply: JobReply,
      statuses: [202],
      problems: [USER_NOT_FOUND],
      audit: {
        action: 'job.submit',
        target: ({ body }, reply) => ({ kind: body.type, job: reply?.id }),
      },
      handle: async ({ body, caller, keyHash }) => {
        const [made] = await parts.submitter.submit([{ request: body, place: 'body' }], {
          owner: ownerLimit(caller),
          keyHash,
          traceparent: currentTraceparent(),
        });
        if (made instanceof Problem) throw made;
        const [reply] = await jobReplies(parts, made === undefined ? [] : [made.record]);
        if (reply === undefined) throw new Error('a submitted job has no record');
        return { body: reply, headers: { location: `/jobs/${encodeURIComponent(reply.id)}` } };
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/jobs/batch'],
      access: ACCESS,
      summary: 'Submit up to 1,000 jobs',
      description: `Each item of \`jobs\` is as the body of \`POST /jobs\`. The reply has for each item its job, or the problem for which it is refused; the
good ones are stored although others are refused. A body has ${BATCH_LIMIT_BYTES / 1_024} KiB at most.`,
      tag: 'Jobs',
      body: Type.Object(
        { jobs: Type.Array(Type.Unknown(), { minItems: 1, maxItems: BATCH_LIMIT }) },
        {
          additionalProperties: false,
          examples: [{ jobs: [{ type: 'fibonacci_calc', payload: { n: 90 } }] }],
        },
      ),
      // A wrong item must not refuse the others, so the handler checks the items.
      bodyBounds: { bytes: BATCH_LIMIT_BYTES, elements: 40 * BATCH_LIMIT },
      idempotencyKey: 'kept',
      reply: Type.Object({
        accepted: Type.Integer({ minimum: 0 }),
        refused: Type.Integer({ minimum: 0 }),
        results: Type.Array(BatchItem),
      }),
      audit: {
        action: 'job.submitMany',
        target: ({ body }, reply) => ({ count: body.jobs.length, accepted: reply?.accepted }),
      },
      handle: async ({ body, caller, keyHash }) => {
        const checked = body.jobs.map((job, index) => checkItem(job, `body.jobs.${index}`));
        const good = checked.filter((item): item is PlacedRequest => !(item instanceof Problem));
        const made = await parts.submitter.submit(good, {
          owner: ownerLimit(caller),
          keyHash,
          traceparent: currentTraceparent(),
        });
        const records = made.flatMap((item) => (item instanceof Problem ? [] : [item.record]));
        const replies = await jobReplies(parts, records);
        const [madeInOrder, repliesInOrder] = [made.values(), replies.values()];
        const results = checked.map((item, index): BatchItem => {
          const outcome = item instanceof Problem ? item : madeInOrder.next().value;
          if (outcome instanceof Problem)
            return { index, problem: outcome.document as Static<typeof ProblemSchema> };
          const job = repliesInOrder.next().value;
          if (job === undefined) throw new Error('a submitted job has no record');
          return { index, job };
        });
        const refused = results.filter(({ problem }) => problem !== undefined).length;
        return { body: { accepted: results.length - refused, refused, results } };
      },
    }),
  ];
}

function checkItem(job: unknown, place: string): PlacedRequest | Problem {
  if (requestCheck.check(job)) return { request: job as JobRequest, place };
  return new Problem({
    ...INVALID_INPUT,
    title: `The item ${place} is not as POST /jobs expects`,
    errors: requestCheck.faults(place, job),
  });
}
