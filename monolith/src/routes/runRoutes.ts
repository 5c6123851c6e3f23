/** Runs: start one, follow it. */
import { DateText, dayIn, distinctArray, isCalendarDay, UserId } from '@fit/contract';
import { addLogFields, currentTraceparent, defineRoute, Problem, type Route } from '@fit/service';
import Type from 'typebox';
import { RunStatus, runStatus } from '../runs/runStatus.ts';
import { type StartRunParts, startRun } from '../runs/startRun.ts';
import type { Run } from '../store/runStore.ts';

export interface RunRouteParts extends StartRunParts {
  /** False while a request could not be recorded: better refused than half done. */
  readonly isStoreUp: () => Promise<boolean>;
  readonly queue: string;
  /** Whose today is meant where no date is given. */
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

const RUNS_SHOWN = 50;

export function runRoutes(parts: RunRouteParts): Route[] {
  return [
    generateWods(parts),
    defineRoute({
      method: 'get',
      paths: ['/runs/:runId'],
      access: 'admin',
      params: Type.Object({ runId: Type.String({ maxLength: 100 }) }),
      reply: RunStatus,
      handle: async ({ params }) => {
        const run = await parts.runs.find(params.runId);
        if (run === undefined) throw noRun(params.runId);
        return { body: runStatus(run, await parts.jobs.countRun(run._id), new Date()) };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/runs'],
      access: 'admin',
      reply: Type.Object({ runs: Type.Array(RunStatus) }),
      handle: async () => {
        const runs = await parts.runs.newest(RUNS_SHOWN);
        const statuses = runs.map(async (run) =>
          runStatus(run, await parts.jobs.countRun(run._id), new Date()),
        );
        return { body: { runs: await Promise.all(statuses) } };
      },
    }),
  ];
}

function generateWods(parts: RunRouteParts): Route {
  return defineRoute({
    method: 'post',
    paths: ['/generateWods', '/users/generateWods'],
    access: 'admin',
    // No body at all means: everyone, today.
    body: Request,
    reply: Accepted,
    handle: async ({ body, headers }) => {
      const date = body.date ?? dayIn(parts.timezone, new Date());
      requireDay(date);
      if (!(await parts.isStoreUp())) throw storeAway();
      await requireUsers(body.userIds, parts);
      const idempotencyKey = headers['idempotency-key'];
      const traceparent = currentTraceparent();
      const run = await startRun(
        { date, userIds: body.userIds, idempotencyKey, traceparent },
        parts,
      );
      addLogFields({ run_id: run._id });
      return { status: 202, body: acceptedBody(run, parts.queue) };
    },
  });
}

function acceptedBody({ _id: runId, date, accepted }: Run, queue: string) {
  const { total = 0, created = 0, skipped = 0 } = accepted ?? {};
  return { runId, statusUrl: `/runs/${runId}`, date, total, created, skipped, queue };
}

function requireDay(date: string): void {
  if (isCalendarDay(date)) return;
  throw invalid('body.date', `${date} is no calendar day`);
}

async function requireUsers(ids: readonly string[] | undefined, parts: StartRunParts) {
  if (ids === undefined) return;
  const found = new Set<string>();
  for await (const group of parts.users.groups(ids, ids.length))
    for (const { id } of group) found.add(id);
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length > 0)
    throw invalid('body.userIds', `no such user: ${missing.slice(0, 10).join(', ')}`);
}

function invalid(field: string, reason: string): Problem {
  const title = 'The body is not as this route expects';
  return new Problem({ status: 400, code: 'invalid_input', title, errors: [{ field, reason }] });
}

function storeAway(): Problem {
  return new Problem({
    status: 503,
    code: 'store_unavailable',
    title: 'The database does not answer, so the run could not be recorded; nothing was started',
    retryAfterSeconds: 5,
  });
}

function noRun(runId: string): Problem {
  return new Problem({ status: 404, code: 'run_not_found', title: `There is no run ${runId}` });
}
