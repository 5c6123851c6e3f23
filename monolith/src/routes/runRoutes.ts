/** Runs: start one, list them, read one, cancel it, create what is missing of it. */
import { DateText, distinctArray, isCalendarDay, UserId } from '@fit/contract';
import { cancelRun, type RunRecord } from '@fit/jobs';
import type { JobStores, RunSummary } from '@fit/jobs/store';
import {
  addLogFields,
  answerInTime,
  currentTraceparent,
  defineRoute,
  IDEMPOTENCY_KEY_REUSED,
  invalidInput,
  OPERATORS,
  Problem,
  type ProblemKind,
  READERS,
  type Route,
} from '@fit/service';
import Type from 'typebox';
import type { RunStarter } from '../runs/runStarter.ts';
import { RunStatus, runStatus } from '../runs/runStatus.ts';
import type { UserStore } from '../store/userStore.ts';

export interface RunRouteParts
  extends Pick<JobStores, 'runs' | 'batches' | 'jobs' | 'cancellations' | 'clock'> {
  readonly users: Pick<UserStore, 'findAll'>;
  readonly starter: RunStarter;
  /** The main queue of the jobs, named in the reply. */
  readonly queue: string;
}

const Request = Type.Object(
  {
    date: Type.Optional(DateText),
    userIds: Type.Optional(distinctArray(UserId, { minItems: 1, maxItems: 1_000 })),
  },
  { additionalProperties: false },
);

const Accepted = Type.Object(
  {
    runId: Type.String(),
    statusUrl: Type.String(),
    date: DateText,
    queue: Type.String(),
    /** A new run is `accepting`: its jobs are recorded after this reply. A repeated request may find it further. */
    state: RunStatus.properties.state,
    total: RunStatus.properties.total,
    expanded: RunStatus.properties.expanded,
    created: RunStatus.properties.created,
    skipped: RunStatus.properties.skipped,
  },
  { title: 'AcceptedRun' },
);

const RUN_NOT_FOUND = {
  status: 404,
  code: 'run_not_found',
  when: 'no run has this id',
  remedy: 'GET /runs lists the newest runs.',
} as const satisfies ProblemKind;

const RUN_ENDED = {
  status: 409,
  code: 'run_ended',
  when: 'the run has ended, so nothing of it can be cancelled; the member `state` of the answer says how',
  remedy: 'POST /runs/{runId}/rerun creates what is missing.',
} as const satisfies ProblemKind;

const RUN_UNDER_WAY = {
  status: 409,
  code: 'run_under_way',
  when: 'jobs of the run have not ended, so it is not known what is missing; the member `state` of the answer says how far it is',
  remedy: 'Wait for the end of the run, or cancel it first.',
} as const satisfies ProblemKind;

const RunParams = Type.Object({ runId: Type.String({ maxLength: 100 }) });

const LISTED_COUNT = 50;
const RUN_OUTAGE = {
  title: 'The database does not answer, so the run may not be stored',
  detail: 'Send the request again after Retry-After, with the same Idempotency-Key.',
} as const;

export function runRoutes(parts: RunRouteParts): Route[] {
  return [
    defineRoute({
      method: 'post',
      paths: ['/generateWods', '/users/generateWods'],
      access: ['admin', 'service'],
      summary: 'Start a run: a workout for every user, or for some',
      description:
        'Answered once the run is stored; its jobs are recorded afterwards, as statusUrl shows. A request without a body is a run for every user and today.',
      tag: 'Runs',
      body: Request,
      idempotencyKey: 'handled',
      reply: Accepted,
      statuses: [202],
      problems: [IDEMPOTENCY_KEY_REUSED],
      audit: {
        action: 'run.start',
        target: ({ body }, reply) => ({
          run: reply?.runId,
          date: reply?.date ?? body.date,
          userCount: body.userIds?.length,
        }),
      },
      handle: async ({ body, keyHash }) => {
        if (body.date !== undefined && !isCalendarDay(body.date))
          throw invalidInput('body.date', `${body.date} is not a calendar day`);
        const run = await answerInTime(async () => {
          await requireUsers(body.userIds, parts);
          return await parts.starter.start({
            date: body.date,
            userIds: body.userIds,
            keyHash,
            traceparent: currentTraceparent(),
          });
        }, RUN_OUTAGE);
        addLogFields({ run_id: run._id });
        return { body: acceptedBody(run, parts) };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/runs/:runId'],
      access: [...READERS, 'service'],
      summary: 'Read the progress of a run',
      tag: 'Runs',
      params: RunParams,
      reply: RunStatus,
      problems: [RUN_NOT_FOUND],
      handle: async ({ params }) => ({
        body: await statusOf(await requireRun(params.runId, parts), parts),
      }),
    }),
    defineRoute({
      method: 'post',
      paths: ['/runs/:runId/cancel'],
      access: OPERATORS,
      summary: 'Cancel what a run has not started',
      description:
        'Jobs of which no attempt has begun are cancelled, and within a few seconds no further one is recorded; `cancelling` becomes `cancelled` once every job has ended and is counted. Attempts that have begun go on, and so do their retries. A repeated request is answered like the first one.',
      tag: 'Runs',
      params: RunParams,
      reply: RunStatus,
      statuses: [202],
      problems: [RUN_NOT_FOUND, RUN_ENDED],
      audit: { action: 'run.cancel', target: ({ params }) => ({ run: params.runId }) },
      handle: async ({ params }) => {
        const before = await statusOf(await requireRun(params.runId, parts), parts);
        if (before.state === 'finished') throw ended(before);
        const isCancelled = await cancelRun(parts, params.runId);
        const after = await statusOf(await requireRun(params.runId, parts), parts);
        // A run that was cancelled before is being cancelled, so the request has what it wants.
        if (!isCancelled && after.state !== 'cancelling') throw ended(after);
        return { body: after };
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/runs/:runId/rerun'],
      access: OPERATORS,
      summary: 'Create what is missing of a run that has ended, as a new run',
      description:
        'The new run is for the same day and the same users, or for everyone as they are now. It creates the jobs that do not exist, takes over those that died or were cancelled, with all their attempts, and skips all others.',
      tag: 'Runs',
      params: RunParams,
      idempotencyKey: 'handled',
      reply: Accepted,
      statuses: [202],
      problems: [RUN_NOT_FOUND, RUN_UNDER_WAY, IDEMPOTENCY_KEY_REUSED],
      audit: {
        action: 'run.rerun',
        target: ({ params }, reply) => ({ run: params.runId, newRun: reply?.runId }),
      },
      handle: async ({ params, keyHash }) => {
        const former = await requireRun(params.runId, parts);
        const { state, date, isForEveryone } = await statusOf(former, parts);
        // Its reliable counters may show the end some seconds before the reconciler marks it.
        if (state !== 'finished' && state !== 'cancelled')
          throw new Problem({
            ...RUN_UNDER_WAY,
            title: `The run ${params.runId} is ${state}`,
            members: { state },
          });
        const run = await answerInTime(
          () =>
            parts.starter.start({
              date,
              userIds: isForEveryone ? undefined : former.items,
              rerunOf: former._id,
              keyHash,
              traceparent: currentTraceparent(),
            }),
          RUN_OUTAGE,
        );
        addLogFields({ run_id: run._id });
        return { body: acceptedBody(run, parts) };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/runs'],
      access: READERS,
      summary: 'List the newest 50 runs',
      tag: 'Runs',
      reply: Type.Object({ runs: Type.Array(RunStatus) }),
      handle: async () => {
        const runs = await parts.runs.newest(LISTED_COUNT);
        const now = parts.clock.now();
        return { body: { runs: runs.map((run) => runStatus(run, now)) } };
      },
    }),
  ];
}

/** @throws Problem 404 `run_not_found` */
async function requireRun(runId: string, { runs }: RunRouteParts): Promise<RunRecord> {
  const run = await runs.find(runId);
  if (run !== undefined) return run;
  throw new Problem({ ...RUN_NOT_FOUND, title: `There is no run ${runId}` });
}

function ended({ runId, state }: RunStatus): Problem {
  return new Problem({ ...RUN_ENDED, title: `The run ${runId} is ${state}`, members: { state } });
}

/** Only a run that is under way has running and waiting jobs, and only for one run they are counted. */
async function statusOf(run: RunSummary, { jobs, clock }: RunRouteParts): Promise<RunStatus> {
  if (!run.isActive) return runStatus(run, clock.now());
  const { states } = await jobs.countIndexed(run._id);
  return runStatus(run, clock.now(), states);
}

function acceptedBody(run: RunRecord, { clock, queue }: RunRouteParts) {
  const { runId, date, state, total, expanded, created, skipped } = runStatus(run, clock.now());
  return {
    runId,
    statusUrl: `/runs/${runId}`,
    date,
    queue,
    state,
    ...(total === undefined ? {} : { total }),
    expanded,
    created,
    skipped,
  };
}

/** @throws Problem 400 `invalid_input` that names up to ten users who do not exist. */
async function requireUsers(
  ids: readonly string[] | undefined,
  { users }: RunRouteParts,
): Promise<void> {
  if (ids === undefined) return;
  const found = new Set((await users.findAll(ids)).map(({ id }) => id));
  const unknownIds = ids.filter((id) => !found.has(id));
  if (unknownIds.length > 0)
    throw invalidInput('body.userIds', `no such user: ${unknownIds.slice(0, 10).join(', ')}`);
}
