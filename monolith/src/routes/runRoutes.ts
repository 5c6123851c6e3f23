/** Runs: start one, list them, read one. */
import { DateText, dayIn, distinctArray, isCalendarDay, UserId } from '@fit/contract';
import {
  addLogFields,
  currentTraceparent,
  defineRoute,
  invalidInput,
  Problem,
  type Route,
} from '@fit/service';
import Type from 'typebox';
import { RunStatus, runStatus } from '../runs/runStatus.ts';
import { type StartRunParts, startRun } from '../runs/startRun.ts';
import type { Run } from '../store/runStore.ts';

export interface RunRouteParts extends StartRunParts {
  /** False while a run could not be recorded; a request is then refused before anything is written. */
  readonly isStoreUp: () => Promise<boolean>;
  /** The main queue of the jobs, named in the reply. */
  readonly queue: string;
  /** The time zone whose today is meant if a request names no date. */
  readonly timezone: string;
}

const Request = Type.Object(
  {
    date: Type.Optional(DateText),
    userIds: Type.Optional(distinctArray(UserId, { minItems: 1, maxItems: 1_000 })),
  },
  { additionalProperties: false },
);

const Accepted = Type.Object({
  runId: Type.String(),
  statusUrl: Type.String(),
  date: DateText,
  total: Type.Integer(),
  created: Type.Integer(),
  skipped: Type.Integer(),
  queue: Type.String(),
});

const LISTED_COUNT = 50;

export function runRoutes(parts: RunRouteParts): Route[] {
  const statusOf = async (run: Run) =>
    runStatus(run, await parts.jobs.countRun(run._id), new Date());
  return [
    defineRoute({
      method: 'post',
      paths: ['/generateWods', '/users/generateWods'],
      access: 'admin',
      // A request without a body is a run for every user and today.
      body: Request,
      reply: Accepted,
      handle: async ({ body, headers }) => {
        const date = body.date ?? dayIn(parts.timezone, new Date());
        if (!isCalendarDay(date)) throw invalidInput('body.date', `${date} is not a calendar day`);
        if (!(await parts.isStoreUp())) throw storeUnavailable();
        await requireUsers(body.userIds, parts);
        const run = await startRun(
          {
            date,
            userIds: body.userIds,
            idempotencyKey: headers['idempotency-key'],
            traceparent: currentTraceparent(),
          },
          parts,
        );
        addLogFields({ run_id: run._id });
        return { status: 202, body: acceptedBody(run, parts.queue) };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/runs/:runId'],
      access: 'admin',
      params: Type.Object({ runId: Type.String({ maxLength: 100 }) }),
      reply: RunStatus,
      handle: async ({ params }) => {
        const run = await parts.runs.find(params.runId);
        if (run !== undefined) return { body: await statusOf(run) };
        throw new Problem({
          status: 404,
          code: 'run_not_found',
          title: `There is no run ${params.runId}`,
        });
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/runs'],
      access: 'admin',
      reply: Type.Object({ runs: Type.Array(RunStatus) }),
      handle: async () => {
        const runs = await parts.runs.newest(LISTED_COUNT);
        return { body: { runs: await Promise.all(runs.map(statusOf)) } };
      },
    }),
  ];
}

function acceptedBody({ _id: runId, date, accepted }: Run, queue: string) {
  const { total = 0, created = 0, skipped = 0 } = accepted ?? {};
  return { runId, statusUrl: `/runs/${runId}`, date, total, created, skipped, queue };
}

/** @throws Problem 400 `invalid_input` that names up to ten users who do not exist. */
async function requireUsers(
  ids: readonly string[] | undefined,
  parts: StartRunParts,
): Promise<void> {
  if (ids === undefined) return;
  const found = new Set<string>();
  for await (const group of parts.users.groups(ids, ids.length))
    for (const { id } of group) found.add(id);
  const unknownIds = ids.filter((id) => !found.has(id));
  if (unknownIds.length > 0)
    throw invalidInput('body.userIds', `no such user: ${unknownIds.slice(0, 10).join(', ')}`);
}

function storeUnavailable(): Problem {
  return new Problem({
    status: 503,
    code: 'store_unavailable',
    title: 'The database does not answer, so the run could not be recorded; nothing was started',
    retryAfterSeconds: 5,
  });
}
