/** Operations: replay many dead jobs, follow the replay, pause, resume and abort it. */
import { randomUUID } from 'node:crypto';
import { DateText, distinctArray, UserId, wodKeyPattern } from '@fit/contract';
import { escapePattern, type ReplayFilter } from '@fit/jobs';
import {
  currentTraceparent,
  defineRoute,
  invalidInput,
  OPERATORS,
  Problem,
  type ProblemKind,
  READERS,
  type Route,
} from '@fit/service';
import { DEATH_CAUSES } from '@fit/topology';
import Type, { type Static } from 'typebox';
import { Instant, instantOf } from '../routes/instant.ts';
import { limitOf, listQuery } from '../routes/keysetList.ts';
import {
  OPERATION_STATES,
  type OperationRecord,
  type OperationState,
  REPLAY_OUTCOMES,
} from './operation.ts';
import {
  countOutcomes,
  listOutcomes,
  type OutcomePosition,
  type OutcomeStores,
} from './outcomes.ts';
import { PayloadEdit } from './payloadRules.ts';
import {
  checkReplay,
  EDIT_LIMIT,
  type ReplayCheck,
  type ReplayRequest,
  type ReplayRequestParts,
  storeOperation,
  TooManyToEdit,
} from './replayRequest.ts';
import {
  ACTIVE_LIMIT,
  type OperationStore,
  type OperationSummary,
} from './store/operationStore.ts';

export interface OperationRouteParts extends ReplayRequestParts {
  readonly operations: OperationStore;
  readonly jobs: OutcomeStores['jobs'];
  /** @returns jobs each second of a replay that states no pace; it can be changed at run time. */
  readonly defaultRate: () => number;
  /** Called when an operation has something to do, so that this process looks at once. */
  readonly onChange: () => void;
}

const JobId = Type.String({ minLength: 1, maxLength: 200 });
const OperationId = Type.String({ pattern: '^[A-Za-z0-9_-]{1,100}$', maxLength: 100 });
const Fingerprint = Type.String({ minLength: 1, maxLength: 100 });
const Reason = Type.String({ minLength: 1, maxLength: 500 });

/** Dead jobs; every given field must match. */
const Filter = Type.Object(
  {
    kind: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    cause: Type.Optional(Type.Enum([...DEATH_CAUSES])),
    fingerprint: Type.Optional(Fingerprint),
    runId: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    /** Of a workout. */
    user: Type.Optional(UserId),
    /** Of a workout. */
    date: Type.Optional(DateText),
    /** Created at this time or later. */
    from: Type.Optional(Instant),
    /** Created before this time. */
    to: Type.Optional(Instant),
    /** Text that the error contains. */
    error: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  { additionalProperties: false, title: 'DeadJobFilter' },
);

const Request = Type.Object(
  {
    type: Type.Literal('replay'),
    filter: Type.Optional(Filter),
    ids: Type.Optional(distinctArray(JobId, { minItems: 1, maxItems: 1_000 })),
    fingerprint: Type.Optional(Fingerprint),
    all: Type.Optional(Type.Literal(true)),
    dryRun: Type.Optional(Type.Boolean()),
    /** Jobs per second; default 10. */
    ratePerSecond: Type.Optional(Type.Number({ minimum: 0.1, maximum: 100_000 })),
    /** Jobs that are replayed at most. */
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000 })),
    /** Pauses once this many jobs are replayed. */
    pauseAfter: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000 })),
    edit: Type.Optional(PayloadEdit),
    /** Only jobs that died no later; default now. Of a dry run: its `asOf`. */
    asOf: Type.Optional(Instant),
    reason: Reason,
  },
  {
    additionalProperties: false,
    title: 'OperationRequest',
    examples: [{ type: 'replay', all: true, dryRun: true, reason: 'The outage is over' }],
  },
);
type Request = Static<typeof Request>;

const Counts = Type.Object(
  Object.fromEntries(REPLAY_OUTCOMES.map((outcome) => [outcome, Type.Integer()])),
);

const Operation = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal('replay'),
    state: Type.Enum([...OPERATION_STATES]),
    /** What was requested: filter, fingerprint, all, or the first ten ids and `idCount`. */
    selection: Type.Unknown(),
    edit: Type.Optional(Type.Unknown()),
    reason: Type.String(),
    /** The account that requested it; absent: the replay command. */
    accountId: Type.Optional(Type.String()),
    /** Only jobs that died no later are replayed. */
    asOf: Type.String(),
    ratePerSecond: Type.Optional(Type.Number()),
    limit: Type.Optional(Type.Integer()),
    pauseAfter: Type.Optional(Type.Integer()),
    createdAt: Type.String(),
    /** When the state changed. */
    stateAt: Type.String(),
    /** Why it failed. */
    failure: Type.Optional(Type.String()),
    /** Jobs that matched when it was requested. */
    matched: Type.Integer(),
    replayed: Type.Integer(),
    skipped: Type.Integer(),
  },
  { title: 'Operation' },
);

const OperationProgress = Type.Object(
  {
    ...Operation.properties,
    /** How the replayed jobs ended. Not exact: some of the pending ones may have ended. */
    outcomes: Counts,
    exact: Type.Boolean(),
    countedAt: Type.String(),
  },
  { title: 'OperationProgress' },
);

const Skipped = Type.Object({ jobId: Type.String(), reason: Type.String() });

const DryRun = Type.Object(
  {
    dryRun: Type.Literal(true),
    /** Jobs that would be replayed, exactly. */
    count: Type.Integer(),
    exact: Type.Literal(true),
    /** Sent back as `asOf` it keeps later deaths out. */
    asOf: Type.String(),
    /** Ids that would be skipped, the first 100 of them. */
    skippedCount: Type.Integer(),
    skipped: Type.Array(Skipped),
    /** Jobs that the edit does not fit, the first 100 of them; with any, the operation is refused. */
    misfitCount: Type.Integer(),
    misfits: Type.Array(Skipped),
    samples: Type.Array(
      Type.Object({
        jobId: Type.String(),
        kind: Type.String(),
        cause: Type.String(),
        reason: Type.String(),
        payload: Type.Unknown(),
        editedPayload: Type.Optional(Type.Unknown()),
      }),
    ),
    /** How long it takes at the pace. */
    durationSeconds: Type.Number(),
  },
  { title: 'DryRun' },
);

const OPERATION_NOT_FOUND = {
  status: 404,
  code: 'operation_not_found',
  when: 'no operation has this id',
  remedy: 'GET /operations lists the operations. They are deleted after a year.',
} as const satisfies ProblemKind;

const OPERATION_STATE = {
  status: 409,
  code: 'operation_state',
  when: 'the operation is in a state that does not allow it; state says in which',
  remedy: 'GET /operations/{operationId} shows it.',
} as const satisfies ProblemKind;

const TOO_MANY_OPERATIONS = {
  status: 409,
  code: 'too_many_operations',
  when: `${ACTIVE_LIMIT} operations are under way`,
  remedy: 'Wait until one ends, or abort one.',
} as const satisfies ProblemKind;

const EDIT_MISFIT = {
  status: 422,
  code: 'edit_misfit',
  when: 'a selected job cannot have the edited payload; errors names up to 20 of them',
  remedy: 'Change the edit, or select only jobs that it fits. No job was changed.',
} as const satisfies ProblemKind;

const TOO_MANY_TO_EDIT = {
  status: 422,
  code: 'too_many_to_edit',
  when: `more than ${EDIT_LIMIT} jobs match a request with an edit`,
  remedy: 'Select fewer jobs, such as those of one run.',
} as const satisfies ProblemKind;

const SHOWN_LIMIT = 100;
const SHOWN_IDS = 10;
const FAULTS_LIMIT = 20;

export function operationRoutes(parts: OperationRouteParts): Route[] {
  const { operations, jobs, stores } = parts;
  const params = Type.Object({ operationId: OperationId });
  return [
    defineRoute({
      method: 'post',
      paths: ['/operations'],
      access: OPERATORS,
      summary: 'Replay dead jobs, or see what a replay would do',
      description: [
        'Selects dead jobs by exactly one of `filter`, `ids`, `fingerprint` (a group of `GET /failures`) and `all`. With `dryRun` nothing is changed: the answer has the exact count, what would be skipped and why, and up to five samples.',
        'Jobs that die after `asOf` are left alone. `edit` has new values of fields of the payload, null deletes a field; it is checked for every job before the first one is touched, and the original payload stays in the job.',
      ].join('\n\n'),
      tag: 'Operations',
      body: Request,
      idempotencyKey: 'kept',
      reply: Type.Union([DryRun, Operation]),
      statuses: [202, 200],
      problems: [EDIT_MISFIT, TOO_MANY_TO_EDIT, TOO_MANY_OPERATIONS],
      audit: {
        action: 'operation.create',
        target: ({ body }, reply) => {
          const { kind, cause, runId, user, date, from, to } = body.filter ?? {};
          return {
            operation: reply !== undefined && 'id' in reply ? reply.id : undefined,
            dryRun: body.dryRun,
            all: body.all,
            fingerprint: body.fingerprint ?? body.filter?.fingerprint,
            jobCount: body.ids?.length,
            kind,
            cause,
            run: runId,
            user,
            date,
            from,
            to,
            limit: body.limit,
            isEdit: body.edit === undefined ? undefined : true,
          };
        },
      },
      handle: async ({ body, caller, keyHash }) => {
        const request = replayRequestOf(
          { ratePerSecond: parts.defaultRate(), ...body },
          caller?.accountId,
        );
        const check = await checkRequest(parts, request);
        if (body.dryRun === true) return { status: 200, body: dryRunOf(request, check) };
        requireFitting(check);
        if ((await operations.active()).length >= ACTIVE_LIMIT)
          throw new Problem({
            ...TOO_MANY_OPERATIONS,
            title: `${ACTIVE_LIMIT} operations are under way`,
          });
        const id = `replay-${keyHash?.replaceAll(/[^A-Za-z0-9_-]/g, '') ?? randomUUID()}`;
        const operation = await storeOperation(parts, id, request, check);
        parts.onChange();
        return { status: 202, body: toReply(operation) };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/operations'],
      access: READERS,
      summary: 'List the operations',
      description: 'The newest first. `next` is the time at which the next request goes on.',
      tag: 'Operations',
      query: Type.Object(listQuery(Instant), { additionalProperties: false }),
      reply: Type.Object({
        operations: Type.Array(Operation),
        next: Type.Optional(Type.String()),
      }),
      handle: async ({ query }) => {
        const limit = limitOf(query);
        const before = query.after === undefined ? FAR : instantOf('query.after', query.after);
        const found = await operations.newest(before, limit);
        const last = found.length === limit ? found.at(-1) : undefined;
        return {
          body: {
            operations: found.map(toReply),
            ...(last === undefined ? {} : { next: last.createdAt.toISOString() }),
          },
        };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/operations/:operationId'],
      access: READERS,
      summary: 'Read an operation with its progress',
      tag: 'Operations',
      params,
      reply: OperationProgress,
      problems: [OPERATION_NOT_FOUND],
      handle: async ({ params: { operationId } }) => {
        const operation = await requireOperation(operations, operationId);
        const { counts, isExact } = await countOutcomes({ operations, jobs }, operation);
        const countedAt = stores.clock.now().toISOString();
        return { body: { ...toReply(operation), outcomes: counts, exact: isExact, countedAt } };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/operations/:operationId/jobs'],
      access: READERS,
      summary: 'List what became of each job of an operation',
      description:
        'In the order in which they were replayed. Jobs whose turn has not come are not listed. What a job does once it has ended does not change its outcome here.',
      tag: 'Operations',
      params,
      query: Type.Object(
        listQuery(Type.String({ pattern: String.raw`^\d{1,9}\.\d{1,4}$`, maxLength: 14 })),
        { additionalProperties: false },
      ),
      reply: Type.Object({
        jobs: Type.Array(
          Type.Object({
            jobId: Type.String(),
            outcome: Type.Enum([...REPLAY_OUTCOMES, 'skipped' as const]),
            reason: Type.Optional(Type.String()),
          }),
        ),
        next: Type.Optional(Type.String()),
      }),
      problems: [OPERATION_NOT_FOUND],
      handle: async ({ params: { operationId }, query }) => {
        await requireOperation(operations, operationId);
        const from = positionOf(query.after);
        const limit = limitOf(query);
        const page = await listOutcomes({ operations, jobs }, operationId, { from, limit });
        const { next } = page;
        return {
          body: {
            jobs: page.outcomes,
            ...(next === undefined ? {} : { next: `${next.part}.${next.index}` }),
          },
        };
      },
    }),
    ...[
      changeRoute(parts, 'pause', 'Pause a running operation', ['running'], 'paused'),
      changeRoute(parts, 'resume', 'Resume a paused operation', ['paused'], 'running'),
      changeRoute(
        parts,
        'abort',
        'End an operation that has not ended',
        ['running', 'paused'],
        'aborted',
      ),
    ],
  ];
}

/** A part that is being carried out is finished, so up to 500 jobs more may be replayed. */
function changeRoute(
  { operations, onChange }: OperationRouteParts,
  verb: string,
  summary: string,
  from: readonly OperationState[],
  to: OperationState,
): Route {
  return defineRoute({
    method: 'post',
    paths: [`/operations/:operationId/${verb}`],
    access: OPERATORS,
    summary,
    tag: 'Operations',
    params: Type.Object({ operationId: OperationId }),
    reply: Operation,
    problems: [OPERATION_NOT_FOUND, OPERATION_STATE],
    audit: {
      action: `operation.${verb}`,
      target: ({ params: { operationId } }) => ({ operation: operationId }),
    },
    handle: async ({ params: { operationId } }) => {
      const changed = await operations.changeState(operationId, from, to);
      if (changed === undefined) {
        const { state } = await requireOperation(operations, operationId);
        throw new Problem({
          ...OPERATION_STATE,
          title: `The operation ${operationId} is ${state}, and not ${from.join(' or ')}`,
          members: { state },
        });
      }
      onChange();
      return { body: toReply(changed) };
    },
  });
}

/** @throws Problem 404 `operation_not_found` */
async function requireOperation(
  operations: Pick<OperationStore, 'find'>,
  id: string,
): Promise<OperationSummary> {
  const operation = await operations.find(id);
  if (operation !== undefined) return operation;
  throw new Problem({ ...OPERATION_NOT_FOUND, title: `There is no operation ${id}` });
}

const SELECTIONS = ['filter', 'ids', 'fingerprint', 'all'] as const;

function replayRequestOf(body: Request, accountId: string | undefined): ReplayRequest {
  const given = SELECTIONS.filter((name) => body[name] !== undefined);
  const [name] = given;
  if (name === undefined || given.length > 1)
    throw invalidInput(
      'body',
      `must have exactly one of ${SELECTIONS.join(', ')}, not ${given.join(', ') || 'none'}`,
    );
  const { ids } = body;
  return {
    // Lists have it, so it has only the first ids.
    selection:
      ids === undefined
        ? { [name]: body[name] }
        : { ids: ids.slice(0, SHOWN_IDS), idCount: ids.length },
    filter: filterOf(body),
    diedUntil: body.asOf === undefined ? undefined : instantOf('body.asOf', body.asOf),
    ratePerSecond: body.ratePerSecond,
    limit: body.limit,
    pauseAfter: body.pauseAfter,
    edit: body.edit,
    reason: body.reason,
    accountId,
    traceparent: currentTraceparent(),
  };
}

function filterOf({ ids, fingerprint, filter = {} }: Request): ReplayFilter {
  if (ids !== undefined) return { ids };
  if (fingerprint !== undefined) return { fingerprint };
  const { kind, cause, runId, user: userId, date, from, to, error } = filter;
  const keyPattern = wodKeyPattern({ userId, date });
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(cause === undefined ? {} : { cause }),
    ...(filter.fingerprint === undefined ? {} : { fingerprint: filter.fingerprint }),
    ...(runId === undefined ? {} : { runId }),
    ...(keyPattern === undefined ? {} : { keyPattern }),
    ...(from === undefined ? {} : { createdSince: instantOf('body.filter.from', from) }),
    ...(to === undefined ? {} : { createdUntil: instantOf('body.filter.to', to) }),
    ...(error === undefined ? {} : { reasonPattern: escapePattern(error) }),
  };
}

const FAR = new Date(8.64e15);

function positionOf(after: string | undefined): OutcomePosition {
  const [part = 0, index = 0] = (after ?? '0.0').split('.').map(Number);
  return { part, index };
}

async function checkRequest(
  parts: ReplayRequestParts,
  request: ReplayRequest,
): Promise<ReplayCheck> {
  try {
    return await checkReplay(parts, request);
  } catch (error) {
    if (error instanceof RangeError)
      throw invalidInput('body.asOf', `must not be in the future; ${error.message}`);
    if (error instanceof TooManyToEdit)
      throw new Problem({ ...TOO_MANY_TO_EDIT, title: error.message });
    throw error;
  }
}

/** @throws Problem 422 `edit_misfit` */
function requireFitting({ misfits }: ReplayCheck): void {
  if (misfits.length === 0) return;
  throw new Problem({
    ...EDIT_MISFIT,
    title: `The edit does not fit ${misfits.length} jobs`,
    errors: misfits
      .slice(0, FAULTS_LIMIT)
      .map(({ id, reason }) => ({ field: id.slice(0, 200), reason })),
  });
}

function dryRunOf(
  { ratePerSecond = Infinity, limit = Infinity }: ReplayRequest,
  { diedUntil, matched, skipped, misfits, samples }: ReplayCheck,
): Static<typeof DryRun> {
  const count = Math.min(limit, matched - misfits.length);
  return {
    dryRun: true,
    count,
    exact: true,
    asOf: diedUntil.toISOString(),
    skippedCount: skipped.length,
    skipped: skipped.slice(0, SHOWN_LIMIT).map(toSkipped),
    misfitCount: misfits.length,
    misfits: misfits.slice(0, SHOWN_LIMIT).map(toSkipped),
    samples: samples.map(({ _id, ...sample }) => ({ jobId: _id, ...sample })),
    durationSeconds: count / ratePerSecond,
  };
}

function toSkipped({ id, reason }: { readonly id: string; readonly reason: string }) {
  return { jobId: id, reason };
}

function toReply(operation: OperationSummary | OperationRecord): Static<typeof Operation> {
  const { ratePerSecond, limit, pauseAfter, edit, accountId, failure } = operation;
  return {
    id: operation._id,
    type: 'replay',
    state: operation.state,
    selection: JSON.parse(operation.selection) as unknown,
    ...(edit === undefined ? {} : { edit: JSON.parse(edit) as unknown }),
    reason: operation.reason,
    ...(accountId === undefined ? {} : { accountId }),
    asOf: operation.diedUntil.toISOString(),
    ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
    ...(limit === undefined ? {} : { limit }),
    ...(pauseAfter === undefined ? {} : { pauseAfter }),
    createdAt: operation.createdAt.toISOString(),
    stateAt: operation.stateAt.toISOString(),
    ...(failure === undefined ? {} : { failure }),
    matched: operation.matched,
    replayed: operation.replayed,
    skipped: operation.skipped,
  };
}
