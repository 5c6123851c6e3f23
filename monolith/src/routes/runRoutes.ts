/** Runs: start one, list them, read one. */
import { DateText, distinctArray, isCalendarDay, UserId } from '@fit/contract';
import { type RunRecord, StoreUnavailable } from '@fit/jobs';
import type { DatabaseClock, JobStore, RunStore, RunSummary } from '@fit/jobs/store';
import {
  addLogFields,
  currentTraceparent,
  defineRoute,
  IDEMPOTENCY_KEY_REUSED,
  invalidInput,
  Problem,
  type ProblemKind,
  READERS,
  type Route,
  STORE_UNAVAILABLE,
} from '@fit/service';
import pTimeout from 'p-timeout';
import Type from 'typebox';
import type { RunStarter } from '../runs/runStarter.ts';
import { RunStatus, runStatus } from '../runs/runStatus.ts';
import type { UserStore } from '../store/userStore.ts';

export interface RunRouteParts {
  readonly users: Pick<UserStore, 'findAll'>;
  readonly runs: Pick<RunStore, 'find' | 'newest'>;
  readonly jobs: Pick<JobStore, 'countIndexed'>;
  readonly clock: Pick<DatabaseClock, 'now'>;
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

const LISTED_COUNT = 50;
/** A request for a run waits at most this long for the database, in milliseconds. */
const ACCEPT_TIMEOUT_MS = 2_000;

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
        const run = await inTime(async () => {
          await requireUsers(body.userIds, parts);
          return await parts.starter.start({
            date: body.date,
            userIds: body.userIds,
            keyHash,
            traceparent: currentTraceparent(),
          });
        });
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
      params: Type.Object({ runId: Type.String({ maxLength: 100 }) }),
      reply: RunStatus,
      problems: [RUN_NOT_FOUND],
      handle: async ({ params }) => {
        const run = await parts.runs.find(params.runId);
        if (run !== undefined) return { body: await statusOf(run, parts) };
        throw new Problem({
          ...RUN_NOT_FOUND,
          title: `There is no run ${params.runId}`,
        });
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

/**
 * Ends the wait for the database early, because its statements may take longer than a caller waits.
 * @throws Problem 503 `store_unavailable`
 */
async function inTime(storeRun: () => Promise<RunRecord>): Promise<RunRecord> {
  const timeout = new StoreUnavailable('outage', new Error('no answer in time'));
  try {
    return await pTimeout(storeRun(), { milliseconds: ACCEPT_TIMEOUT_MS, message: timeout });
  } catch (error) {
    if (!(error instanceof StoreUnavailable) || error.reason === 'contention') throw error;
    throw new Problem({
      ...STORE_UNAVAILABLE,
      title: 'The database does not answer, so the run may not be stored',
      detail: 'Send the request again after Retry-After, with the same Idempotency-Key.',
      retryAfterSeconds: 5,
    });
  }
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
