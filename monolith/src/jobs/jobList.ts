/** GET /jobs: which jobs are listed, by which index, and how many they are. */
import { UserId, wodJobOf } from '@fit/contract';
import {
  escapePattern,
  isExpanded,
  type JobRecord,
  type JobState,
  NO_RUN,
  SHOWN_STATES,
  type ShownState,
} from '@fit/jobs';
import {
  type BatchStore,
  type DatabaseClock,
  type JobConditions,
  type JobPage,
  type JobStore,
  type RunStore,
  type ShownJob,
  showJobs,
} from '@fit/jobs/store';
import { invalidInput } from '@fit/service';
import { DEATH_CAUSES } from '@fit/topology';
import Type, { type Static } from 'typebox';
import { Instant, instantOf } from '../routes/instant.ts';
import { limitOf, listQuery } from '../routes/keysetList.ts';

export interface JobListParts {
  readonly jobs: Pick<JobStore, 'list' | 'findMatching' | 'estimatedCount'>;
  readonly batches: Pick<BatchStore, 'findStates' | 'pageOf' | 'pageAfter'>;
  readonly runs: Pick<RunStore, 'find'>;
  readonly clock: Pick<DatabaseClock, 'now'>;
}

/** A kind of jobs, and how its jobs can be searched. */
export interface ListedKind {
  readonly kind: string;
  /** Names of the fields of its payload. */
  readonly payloadFields: readonly string[];
  /** @returns the text with which the keys of a user's jobs begin; undefined: keys say nothing about users. */
  readonly keyPrefixOf?: (userId: string) => string;
}

export const JobId = Type.String({ minLength: 1, maxLength: 200 });

const PayloadValue = Type.String({ minLength: 1, maxLength: 200 });

/** The query of the list. Each field of a payload has a parameter of its own, so a mistyped one is refused and the known ones are named. */
export function jobListQuery(kinds: readonly ListedKind[]) {
  const fields = new Set(kinds.flatMap(({ payloadFields }) => payloadFields));
  return Type.Object(
    {
      kind: Type.Optional(Type.Enum(kinds.map(({ kind }) => kind))),
      state: Type.Optional(Type.Enum([...SHOWN_STATES])),
      /** Jobs that the user submitted, and jobs that make the user's workouts. */
      user: Type.Optional(UserId),
      runId: Type.Optional(Type.String({ maxLength: 100 })),
      /** Created at this time or later. */
      from: Type.Optional(Instant),
      /** Created before this time. */
      to: Type.Optional(Instant),
      /** Attempts since the last replay, at least. */
      attempts: Type.Optional(Type.String({ pattern: '^[1-9]\\d?$', maxLength: 2 })),
      /** Cause of death; only dead jobs have one. */
      cause: Type.Optional(Type.Enum([...DEATH_CAUSES])),
      /** Text in the reason of the death; only dead jobs have one. */
      error: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
      ...Object.fromEntries(
        [...fields].sort().map((field) => [`payload.${field}`, Type.Optional(PayloadValue)]),
      ),
      ...listQuery(JobId),
    },
    { additionalProperties: false },
  );
}
export type JobListQuery = Static<ReturnType<typeof jobListQuery>>;

export const JobCount = Type.Object({
  /** How many jobs match, on all pages together; null where that is not known. */
  value: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
  /** False: an estimate, or not known. */
  exact: Type.Boolean(),
  /** When they were counted. */
  asOf: Type.String(),
});

export interface JobList {
  readonly jobs: readonly ShownJob[];
  readonly count: Static<typeof JobCount>;
  /** Id to go on after; undefined where no more jobs follow. */
  readonly next: string | undefined;
}

/**
 * @param owner the user to whose jobs the caller is restricted; undefined: all.
 * @throws Problem 400 `invalid_input`
 */
export async function listJobs(
  parts: JobListParts,
  query: JobListQuery,
  { kinds, owner }: { readonly kinds: readonly ListedKind[]; readonly owner: string | undefined },
): Promise<JobList> {
  // No index leads to them, so the list would be empty and say that it is whole.
  if (query.runId === NO_RUN)
    throw invalidInput(
      'query.runId',
      `${NO_RUN} is no run: it stands for jobs that were submitted alone`,
    );
  const where = conditionsOf(query, owner);
  const asOf = parts.clock.now().toISOString();
  if (owner !== undefined && query.user !== undefined && query.user !== owner)
    return { jobs: [], next: undefined, count: { value: 0, exact: true, asOf } };
  const wanted = { query, where, limit: limitOf(query), after: query.after };
  const [page, estimate] = await Promise.all([
    query.runId === undefined
      ? readJobs(parts, wanted, kinds)
      : readJobsOfRun(parts, { ...wanted, runId: query.runId }, kinds),
    estimateOf(parts, query, owner),
  ]);
  // Whether a pending job is queued is known only from its batch.
  const isCountable = query.state !== 'pending' && query.state !== 'queued';
  const value = isCountable ? page.count : undefined;
  const count = value === undefined ? estimate : { value, exact: true };
  return { jobs: page.jobs, next: page.next, count: { ...count, asOf } };
}

interface Wanted {
  readonly query: JobListQuery;
  readonly where: JobConditions;
  readonly limit: number;
  readonly after: string | undefined;
}

interface ShownPage extends Omit<JobPage, 'jobs'> {
  readonly jobs: readonly ShownJob[];
}

async function readJobs(
  { jobs, batches }: JobListParts,
  { query, where, limit, after }: Wanted,
  kinds: readonly ListedKind[],
): Promise<ShownPage> {
  const { kind, user, state } = query;
  const page = await jobs.list({
    where,
    ...(kind === undefined ? {} : { ranges: [rangeOf(kind)] }),
    ...(user === undefined ? {} : { user: { id: user, ranges: rangesOfUser(user, kinds) } }),
    ...(after === undefined ? {} : { after }),
    limit,
  });
  return { ...page, jobs: inState(await showJobs(batches, page.jobs), state) };
}

function rangeOf(kind: string) {
  return { from: `${kind}:`, below: `${kind};` };
}

function rangesOfUser(user: string, kinds: readonly ListedKind[]) {
  return kinds.flatMap(({ kind, keyPrefixOf }) => {
    if (keyPrefixOf === undefined) return [];
    const from = `${kind}:${keyPrefixOf(user)}`;
    return [{ from, below: `${from}\u{10ffff}` }];
  });
}

/** Jobs of a run that one request looks at, where few of them match, before it answers. */
const READ_LIMIT = 4_000;
/** Records that are read at a time at least, where some of them may be left out afterwards. */
const CHUNK_MIN = 100;

/** Follows the pages of the run, because no index leads from a run to its jobs. */
async function readJobsOfRun(
  { jobs, batches }: JobListParts,
  { query, where, runId, after, limit }: Wanted & { readonly runId: string },
  kinds: readonly ListedKind[],
): Promise<ShownPage> {
  const isWanted = ({ job, state }: ShownJob) =>
    (query.state === undefined || state === query.state) && isOfUser(job, query.user, kinds);
  const shown: ShownJob[] = [];
  let last = after ?? '';
  let readCount = 0;
  let page = await batches.pageOf(runId, wodJobOf({ _id: last }).userId);
  while (page !== undefined) {
    // The last page that was read is read on behind its last job; the order of jobs' ids holds only within a page.
    const behind = page.ids.includes(last) ? last : '';
    const { kind } = query;
    let rest = page.ids.filter((id) => id > behind && (kind === undefined || kindOf(id) === kind));
    while (rest.length > 0) {
      const readLimit = Math.max(CHUNK_MIN, limit - shown.length);
      const found = await jobs.findMatching(rest, where, readLimit);
      for (const each of (await showJobs(batches, found)).filter(isWanted)) {
        if (shown.length === limit) return { jobs: shown, next: last, count: undefined };
        shown.push(each);
        last = each.job._id;
      }
      const end = (found.length === readLimit ? found.at(-1)?._id : rest.at(-1)) ?? last;
      const left = rest.filter((id) => id > end);
      readCount += rest.length - left.length;
      rest = left;
      last = end;
      if (shown.length === limit || readCount >= READ_LIMIT)
        return { jobs: shown, next: last, count: undefined };
    }
    page = await batches.pageAfter(page);
  }
  return { jobs: shown, next: undefined, count: after === undefined ? shown.length : undefined };
}

function kindOf(id: string): string {
  return id.slice(0, id.indexOf(':'));
}

function isOfUser(
  { _id, owner }: JobRecord,
  user: string | undefined,
  kinds: readonly ListedKind[],
): boolean {
  if (user === undefined || owner === user) return true;
  return rangesOfUser(user, kinds).some(({ from, below }) => _id >= from && _id < below);
}

function inState(jobs: readonly ShownJob[], wanted: ShownState | undefined): readonly ShownJob[] {
  return wanted === undefined ? jobs : jobs.filter(({ state }) => state === wanted);
}

/** @throws Problem 400 `invalid_input` */
function conditionsOf(query: JobListQuery, owner: string | undefined): JobConditions {
  const { state, from, to, attempts, cause, error } = query;
  const isOfDeath = cause !== undefined || error !== undefined;
  if (isOfDeath && state !== undefined && state !== 'dead')
    throw invalidInput(
      cause === undefined ? 'query.error' : 'query.cause',
      `only dead jobs have one, and state is ${state}`,
    );
  return {
    state: isOfDeath ? 'dead' : storedState(state),
    owner,
    createdSince: from === undefined ? undefined : instantOf('query.from', from),
    createdUntil: to === undefined ? undefined : instantOf('query.to', to),
    attemptsMin: attempts === undefined ? undefined : Number(attempts),
    cause,
    reasonPattern: error === undefined ? undefined : escapePattern(error),
    payload: payloadOf(query),
  };
}

/** Whether a pending job is queued is known only from its batch. */
function storedState(state: ShownState | undefined): JobState | undefined {
  return state === 'queued' ? 'pending' : state;
}

/** A parameter is text, so a number or a truth value of the payload is looked for as well. */
function payloadOf(query: object): JobConditions['payload'] {
  const fields = Object.entries(query as Readonly<Record<string, string>>).flatMap(
    ([name, text]) => (name.startsWith('payload.') ? [[name.slice(8), valuesOf(text)]] : []),
  );
  return Object.fromEntries(fields) as JobConditions['payload'];
}

function valuesOf(text: string): unknown[] {
  if (text === 'true' || text === 'false') return [text, text === 'true'];
  return String(Number(text)) === text ? [text, Number(text)] : [text];
}

/** @returns a number for lists whose jobs are not all counted: the database or the run knows it without counting. */
async function estimateOf(
  { jobs, runs }: JobListParts,
  query: JobListQuery,
  owner: string | undefined,
): Promise<{ readonly value: number | null; readonly exact: boolean }> {
  const { runId, after: _, limit: __, ...filters } = query;
  if (Object.keys(filters).length > 0 || owner !== undefined) return { value: null, exact: false };
  if (runId === undefined) return { value: await jobs.estimatedCount(), exact: false };
  const run = await runs.find(runId);
  if (run === undefined) return { value: null, exact: false };
  return { value: run.expanded, exact: isExpanded(run) && run.needsRecount !== true };
}
